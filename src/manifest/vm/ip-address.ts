/** Addresses with a prefix length, as far as a manifest needs to know them to be well-formed. */

/** `10.0.0.11/24` or `fd00::11/64`. */
export function isAddressWithPrefix(text: string): boolean {
  const [address = "", prefix = ""] = text.split("/");
  const length = Number(prefix);
  if (address.includes(":")) return length <= 128 && isIpv6(address);
  return length <= 32 && address.split(".").every((part) => Number(part) <= 255);
}

/**
 * What an address that is well-formed names instead of a host: its whole network, or everybody in it. Networks of two (RFC 3021,
 * RFC 6164) and of one have neither.
 */
export function notAHost(text: string): "network" | "broadcast" | null {
  const [address = "", prefix = ""] = text.split("/");
  const bits = address.includes(":") ? bitsOfIpv6(address) : bitsOfIpv4(address);
  const host = bits.slice(Number(prefix));
  if (host.length < 2) return null;
  if (!host.includes("1")) return "network";
  return !address.includes(":") && !host.includes("0") ? "broadcast" : null;
}

const bitsOfIpv4 = (address: string): string =>
  address
    .split(".")
    .map((part) => Number(part).toString(2).padStart(8, "0"))
    .join("");

function bitsOfIpv6(address: string): string {
  const [before = [], after = []] = address.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const gap = Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  return [...before, ...gap, ...after]
    .map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0"))
    .join("");
}

function isIpv6(address: string): boolean {
  const halves = address.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  return (
    groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) &&
    (halves.length === 2 ? groups.length < 8 : groups.length === 8)
  );
}
