/** Addresses with a prefix length, as far as a manifest needs to know them to be well-formed. */

/** `10.0.0.11/24` or `fd00::11/64`. */
export function isAddressWithPrefix(text: string): boolean {
  const [address = "", prefix = ""] = text.split("/");
  const length = Number(prefix);
  if (address.includes(":")) return length <= 128 && isIpv6(address);
  return length <= 32 && address.split(".").every((part) => Number(part) <= 255);
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
