/** Reckoning with addresses and subnets of both families. Pure. What is well-formed is the schemas' business: here nonsense is null. */
import { canonicalAddress } from "./net-address.ts";

export interface Ip {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface Subnet extends Ip {
  /** How many of the first bits are the network's; `value` has no other ones. */
  readonly prefix: number;
}

export function parseIp(text: string): Ip | null {
  if (text.includes(":")) return parseIpv6(text);
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return null;
  return { bits: 32, value: parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
}

function parseIpv6(text: string): Ip | null {
  const address = canonicalAddress(text);
  if (!/^[0-9a-f:]+$/.test(address)) return null;
  if (!URL.canParse(`http://[${address}]/`)) return null;
  const [before = [], after] = address.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups =
    after === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill("0"), ...after];
  if (groups.length !== 8) return null;
  return { bits: 128, value: groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n) };
}

export function formatIp({ bits, value }: Ip): string {
  const [count, base, radix] = bits === 32 ? [4, 256n, 10] : [8, 65_536n, 16];
  const parts = Array.from({ length: count }, (_, index) =>
    ((value / base ** BigInt(count - 1 - index)) % base).toString(radix),
  );
  return bits === 32 ? parts.join(".") : canonicalAddress(parts.join(":"));
}

/** `10.0.0.7/24` is the subnet 10.0.0.0/24; an address alone is a subnet of one. */
export function parseSubnet(text: string): Subnet | null {
  const [address = "", length] = text.split("/");
  const ip = parseIp(address);
  const prefix = length === undefined ? ip?.bits : Number(length);
  if (ip === null || prefix === undefined || !Number.isInteger(prefix) || prefix < 0 || prefix > ip.bits) return null;
  return { bits: ip.bits, prefix, value: ip.value - (ip.value % sizeOf({ bits: ip.bits, prefix })) };
}

export const formatSubnet = (subnet: Subnet): string => `${formatIp(subnet)}/${subnet.prefix}`;

/** How many addresses it has. */
export const sizeOf = ({ bits, prefix }: Pick<Subnet, "bits" | "prefix">): bigint => 2n ** BigInt(bits - prefix);

export const isWithin = (subnet: Subnet, ip: Ip): boolean =>
  ip.bits === subnet.bits && ip.value >= subnet.value && ip.value < subnet.value + sizeOf(subnet);

export const overlap = (one: Subnet, other: Subnet): boolean => isWithin(one, other) || isWithin(other, one);

/** The one at this place, 0 being the network's own. */
export const addressAt = (subnet: Subnet, place: bigint): string =>
  formatIp({ bits: subnet.bits, value: subnet.value + place });

/** What a NIC with this MAC address calls itself by SLAAC in a subnet of 64 bits (RFC 4291, appendix A). */
export function slaacAddress(subnet: Subnet, mac: string): string {
  const [a = "00", b, c, d, e, f] = mac.split(":");
  const first = (Number.parseInt(a, 16) ^ 0x02).toString(16).padStart(2, "0");
  return addressAt(subnet, BigInt(`0x${first}${b}${c}fffe${d}${e}${f}`));
}

const LINK_LOCAL: Subnet = { bits: 128, prefix: 64, value: 0xfe80n << 112n };

export const linkLocalAddress = (mac: string): string => slaacAddress(LINK_LOCAL, mac);
