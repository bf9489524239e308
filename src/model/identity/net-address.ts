/** MAC and IP addresses in their one spelling each, by which two are known to be the same. What is none stays as it is. Pure. */

/** `02-00-00-AA-00-01`, `0200.00aa.0001` → `02:00:00:aa:00:01`. */
export function canonicalMac(text: string): string {
  const hex = text.replace(/[:.-]/g, "").toLowerCase();
  return /^[0-9a-f]{12}$/.test(hex) ? (hex.match(/../g) ?? []).join(":") : text;
}

/** `FD00:0:0::01/64` → `fd00::1/64`, `10.0.0.011/24` → `10.0.0.11/24`: with its prefix, if it has one. */
export function canonicalAddress(text: string): string {
  const [address = "", ...prefix] = text.split("/");
  const canonical = address.includes(":") ? canonicalIpv6(address) : canonicalIpv4(address);
  if (canonical === null) return text;
  return [canonical, ...prefix.map((each) => (/^\d+$/.test(each) ? `${Number(each)}` : each))].join("/");
}

/** Decimal, as manifests have always read them. */
function canonicalIpv4(text: string): string | null {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part)) ? parts.map(Number).join(".") : null;
}

function canonicalIpv6(text: string): string | null {
  const url = `http://[${text}]/`;
  return /^[0-9a-f:.]+$/i.test(text) && URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : null;
}
