/**
 * The rules on a bridge, in nftables' own words: what a guest may send, and who may begin to talk to it. In the bridge family, because only there
 * every frame passes with the name of the tap on it, whether it goes to a neighbour, to the node or out. Pure.
 *
 * Kernels of before 5.3 and small ones have no `ct` in this family, so nothing relies on it: of TCP the first packet decides, of UDP a set
 * remembers whom a guest has asked.
 */
import { linkLocalAddress, parseSubnet } from "../../../model/identity/subnet.ts";
import type { FirewallRule } from "../../../model/vm-spec.ts";
import type { NicAddresses, Uplink } from "./wanted-network.ts";

export interface GuestPort {
  readonly tap: string;
  /** The guest's. */
  readonly mac: string;
  readonly addresses: NicAddresses;
  readonly antiSpoofing: boolean;
  readonly allow: readonly FirewallRule[] | null;
}

export interface BridgeRules {
  readonly ports: readonly GuestPort[];
  /** Of a bridge that odorobo makes: its own address, and where it goes on. */
  readonly mac: string | null;
  readonly gateway: string | null;
  readonly uplink: Uplink | null;
}

/** How long an answer may be in coming: as conntrack's own for UDP. */
const ANSWERS_WITHIN = "3m";

/** What is in the braces of the table; null: there is nothing to say. */
export function bridgeRules({ ports, mac, gateway, uplink }: BridgeRules): string | null {
  const guarded = ports.filter(({ antiSpoofing, allow }) => antiSpoofing || allow !== null);
  const spans = uplink?.kind === "vxlan" && mac !== null ? { name: uplink.name, mac, gateway } : null;
  if (guarded.length === 0 && spans === null) return null;
  const filtered = guarded.filter(({ allow }) => allow !== null);
  const from = guarded.map(({ tap }) => `"${tap}" : jump from_${tap}`);
  const to = filtered.map(({ tap }) => `"${tap}" : jump to_${tap}`);
  if (spans !== null) {
    from.push(`"${spans.name}" : jump from_far`);
    to.push(`"${spans.name}" : jump to_far`);
  }
  return [
    ...(filtered.length === 0 ? [] : [askedSet("asked", "ipv4_addr"), askedSet("asked6", "ipv6_addr")]),
    ...(spans === null ? [] : farChains(spans)),
    ...guarded.flatMap(fromChain),
    ...filtered.map(toChain),
    hook("in", "prerouting", -300, from.length === 0 ? [] : [`iifname vmap { ${from.join(", ")} }`]),
    hook("out", "postrouting", 300, to.length === 0 ? [] : [`oifname vmap { ${to.join(", ")} }`]),
  ].join("\n");
}

const chain = (name: string, rules: readonly string[]): string =>
  [` chain ${name} {`, ...rules.map((rule) => `  ${rule}`), " }"].join("\n");

const hook = (name: string, place: string, priority: number, rules: readonly string[]): string =>
  chain(name, [`type filter hook ${place} priority ${priority}; policy accept;`, ...rules]);

const askedSet = (name: string, type: string): string =>
  ` set ${name} {\n  type ${type} . inet_service . ${type} . inet_service\n  size 65535\n  flags dynamic,timeout\n  timeout ${ANSWERS_WITHIN}\n }`;

/** What a guest sends, by what it is known by. Everything that is not named is dropped: frames within frames above all. */
function fromChain({ tap, mac, addresses: { ipv4, ipv6 }, antiSpoofing, allow }: GuestPort): readonly string[] {
  const notes =
    allow === null
      ? []
      : [
          "meta protocol ip meta l4proto udp update @asked { ip daddr . udp dport . ip saddr . udp sport }",
          "meta protocol ip6 meta l4proto udp update @asked6 { ip6 daddr . udp dport . ip6 saddr . udp sport }",
        ];
  if (!antiSpoofing) return [chain(`from_${tap}`, notes)];
  const raw = `0x${mac.replaceAll(":", "")}`;
  const own6 = [linkLocalAddress(mac), ...(ipv6 === null ? [] : [ipv6])];
  const own4 = ipv4 === null ? "" : ` arp saddr ip { ${ipv4}, 0.0.0.0 }`;
  return [
    chain(`na_${tap}`, [...own6.map((address) => `@th,64,128 ${hexOf(address)} return`), "drop"]),
    chain(`from_${tap}`, [
      `ether saddr != ${mac} drop`,
      `ether type arp arp saddr ether ${mac}${own4} accept`,
      // How QEMU tells switches where a guest is now.
      `ether type 0x8035 @nh,64,48 ${raw} accept`,
      "ether type ip udp sport 67 udp dport 68 drop",
      "ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept",
      ...(ipv4 === null ? [] : [`ether type ip ip saddr != ${ipv4} drop`]),
      "ether type ip6 udp sport 547 udp dport 546 drop",
      "ether type ip6 icmpv6 type { nd-router-advert, nd-redirect } drop",
      `ether type ip6 icmpv6 type nd-neighbor-advert jump na_${tap}`,
      `ether type ip6 icmpv6 type nd-neighbor-advert @th,192,16 0x0201 @th,208,48 != ${raw} drop`,
      `ether type ip6 ip6 saddr != { ${[...own6, "::"].join(", ")} } drop`,
      ...notes,
      "ether type { ip, ip6 } accept",
      "drop",
    ]),
  ];
}

const hexOf = (address: string): string => `0x${(parseSubnet(address)?.value ?? 0n).toString(16).padStart(32, "0")}`;

/** What comes to a guest: who answers it, what the network itself needs, who was named. */
function toChain({ tap, allow }: GuestPort): string {
  return chain(`to_${tap}`, [
    "ether type { arp, 0x8035 } accept",
    "tcp flags & (syn | ack) != syn accept",
    "ip saddr . udp sport . ip daddr . udp dport @asked accept",
    "ip6 saddr . udp sport . ip6 daddr . udp dport @asked6 accept",
    "ether type ip udp sport 67 udp dport 68 accept",
    "ether type ip6 udp sport 547 udp dport 546 accept",
    "icmp type { echo-reply, destination-unreachable, time-exceeded, parameter-problem } accept",
    "icmpv6 type { echo-reply, destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept",
    // Of a packet in pieces the first decides.
    "ip frag-off & 0x1fff != 0 accept",
    ...(allow ?? []).flatMap(rulesFor),
    "drop",
  ]);
}

function rulesFor({ from, ports, protocol }: FirewallRule): readonly string[] {
  const subnets = from?.map((text) => ({ text, bits: parseSubnet(text)?.bits }));
  const of = (bits: 32 | 128) => subnets?.flatMap((each) => (each.bits === bits ? [each.text] : [])) ?? null;
  const what = (isV6: boolean): string =>
    protocol === "any"
      ? `ether type ${isV6 ? "ip6" : "ip"}`
      : protocol === "icmp"
        ? `ether type ${isV6 ? "ip6" : "ip"} meta l4proto ${isV6 ? "icmpv6" : "icmp"}`
        : ports === undefined
          ? `ether type ${isV6 ? "ip6" : "ip"} meta l4proto ${protocol}`
          : `ether type ${isV6 ? "ip6" : "ip"} ${protocol} dport { ${ports.map(portText).join(", ")} }`;
  return ([32, 128] as const).flatMap((bits) => {
    const peers = of(bits);
    if (peers !== null && peers.length === 0) return [];
    const who = peers === null ? "" : ` ${bits === 32 ? "ip" : "ip6"} saddr { ${withoutInner(peers).join(", ")} }`;
    return [`${what(bits === 128)}${who} accept`];
  });
}

const portText = ([first, last]: readonly [number, number]): string =>
  first === last ? `${first}` : `${first}-${last}`;

/** A set takes no subnet that lies in another of it. */
function withoutInner(texts: readonly string[]): readonly string[] {
  const subnets = texts.map((text) => ({ text, subnet: parseSubnet(text) }));
  return subnets
    .filter(
      ({ subnet }, index) =>
        subnet !== null &&
        !subnets.some(
          ({ subnet: other }, place) =>
            other !== null &&
            place !== index &&
            other.bits === subnet.bits &&
            other.prefix <= subnet.prefix &&
            subnet.value >= other.value &&
            subnet.value < other.value + 2n ** BigInt(other.bits - other.prefix) &&
            (other.prefix < subnet.prefix || place < index),
        ),
    )
    .map(({ text }) => text);
}

/** Every node has the gateway's addresses, and is nobody's but its own guests': nothing from or for another node's passes. */
function farChains({ mac, gateway }: { readonly mac: string; readonly gateway: string | null }): readonly string[] {
  const servers = ["udp dport { 67, 547 } drop", "udp sport { 67, 547 } udp dport { 68, 546 } drop"];
  return [
    chain("from_far", [
      `ether saddr ${mac} drop`,
      ...(gateway === null ? [] : [`arp saddr ip ${gateway} drop`]),
      ...servers,
      "icmpv6 type { nd-router-advert, nd-redirect } drop",
    ]),
    chain("to_far", [
      `ether saddr ${mac} drop`,
      ...(gateway === null ? [] : [`arp daddr ip ${gateway} drop`]),
      ...servers,
      "icmpv6 type nd-router-solicit drop",
    ]),
  ];
}
