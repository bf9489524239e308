/** How far an address is from everybody: a redirect never leads further in than where the source itself is. Pure. */
import { BlockList, isIP } from "node:net";

/** From outside in. `host`: this node itself. `link`: what answers only on the wire: a cloud's metadata among them. */
export const SCOPES = ["public", "private", "host", "link"] as const;
export type Scope = (typeof SCOPES)[number];

const lists = new Map<Scope, BlockList>(SCOPES.map((scope) => [scope, new BlockList()]));

/** IANA's special-purpose registries of IPv4 and IPv6; what is reserved, or for groups, counts as `link`. */
const RANGES: readonly (readonly [scope: Scope, network: string, prefix: number])[] = [
  ["private", "10.0.0.0", 8],
  ["private", "172.16.0.0", 12],
  ["private", "192.168.0.0", 16],
  ["private", "100.64.0.0", 10],
  ["private", "198.18.0.0", 15],
  ["private", "fc00::", 7],
  ["private", "fec0::", 10],
  ["host", "0.0.0.0", 8],
  ["host", "127.0.0.0", 8],
  ["host", "::", 128],
  ["host", "::1", 128],
  ["link", "169.254.0.0", 16],
  ["link", "192.0.0.0", 24],
  ["link", "224.0.0.0", 3],
  ["link", "fe80::", 10],
  ["link", "ff00::", 8],
];
for (const [scope, network, prefix] of RANGES)
  lists.get(scope)?.addSubnet(network, prefix, isIP(network) === 6 ? "ipv6" : "ipv4");

/** Of an IP address; what is none counts as furthest in. */
export function scopeOf(address: string): Scope {
  const plain = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const family = isIP(plain);
  if (family === 0) return "link";
  const v4 = family === 6 ? embeddedIPv4(plain) : null;
  if (v4 !== null) return scopeOf(v4);
  return SCOPES.findLast((scope) => lists.get(scope)?.check(plain, family === 6 ? "ipv6" : "ipv4")) ?? "public";
}

export const isWithin = (scope: Scope, limit: Scope): boolean => SCOPES.indexOf(scope) <= SCOPES.indexOf(limit);

export const innermost = (scopes: readonly Scope[]): Scope =>
  SCOPES.findLast((scope) => scopes.includes(scope)) ?? "public";

/** `::ffff:a.b.c.d` (mapped), `64:ff9b::a.b.c.d` (NAT64) and `2002:` (6to4) lead to the IPv4 address in them. Null: none is. */
function embeddedIPv4(address: string): string | null {
  const groups = expand(address);
  const at = groups.slice(0, 6).join(":");
  const isLast = at === "0:0:0:0:0:ffff" || at === "64:ff9b:0:0:0:0" || (at === "0:0:0:0:0:0" && groups[6] !== "0");
  if (isLast) return toIPv4(groups[6], groups[7]);
  return groups[0] === "2002" ? toIPv4(groups[1], groups[2]) : null;
}

function expand(address: string): readonly string[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, head = "", a, b, c, d] = dotted ?? [];
  const text =
    dotted === null
      ? address
      : `${head}${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`;
  const [before = "", after] = text.split("::");
  const left = before === "" ? [] : before.split(":");
  const right = after === undefined || after === "" ? [] : after.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16).toString(16));
}

function toIPv4(high = "0", low = "0"): string {
  const [first, second] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return `${first >> 8}.${first & 255}.${second >> 8}.${second & 255}`;
}
