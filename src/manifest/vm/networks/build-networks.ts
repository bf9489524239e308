/**
 * What a Network says → what a NIC on it carries to its agent, who knows no manifests: where it is plugged in, how that is made, what
 * its guest is told, and what it may do.
 *
 *   [build-networks.ts] → build-devices.ts → VmSpec
 */
import { digestOfText } from "../../../model/digest.ts";
import type { FirewallRuleManifest, NetworkSpec, NicManifest } from "../../../model/documents.ts";
import { canonicalAddress } from "../../../model/identity/net-address.ts";
import { addressAt, formatSubnet, parseIp, parseSubnet } from "../../../model/identity/subnet.ts";
import { byName } from "../../../model/names.ts";
import type { FirewallRule, MadeNetwork, Nic, NicAttachment, NicConfig, NicRules } from "../../../model/vm-spec.ts";
import type { Catalog } from "../catalog.ts";

/** IANA's, and what every other implementation takes. */
const VXLAN_PORT = 4789;

export const MADE_TYPES = ["nat", "routed", "vlan", "vxlan"] as const;

export const isMade = (type: string): type is MadeNetwork["type"] => (MADE_TYPES as readonly string[]).includes(type);

/** Types on whose bridge the node itself is a member: gateway, DHCP, names. */
export const servesGuests = (type: string): boolean => isMade(type) && type !== "vlan";

/**
 * The interface's name on every node: the same for the same network of the same fleet, and another for every other. 48 bits, as of taps. The
 * name of the network is part of it: one with another name is another network.
 */
export const madeBridge = (fleet: string, network: string): string =>
  `odb${digestOfText(`network/${fleet}/${network}`).slice(0, 12)}`;

/** All that a NIC has of its network, in the order in which specs have it. */
export function surroundingsOf(
  network: string,
  nic: Pick<NicManifest, "gateway" | "dns" | "firewall">,
  catalog: Catalog,
): Pick<Nic, "attachment" | "config" | "made" | "rules"> {
  const spec = catalog.get("Network", network)?.content.spec;
  const config = configOf(network, nic, spec);
  const rules = rulesOf(nic, spec);
  const made = spec === undefined ? null : madeOf(network, spec, catalog);
  return {
    attachment: attachmentOf(network, spec, catalog),
    ...(Object.keys(config).length === 0 ? {} : { config }),
    ...(made === null ? {} : { made }),
    ...(Object.keys(rules).length === 0 ? {} : { rules }),
  };
}

function attachmentOf(network: string, spec: NetworkSpec | undefined, catalog: Catalog): NicAttachment {
  const type = spec?.type ?? "user";
  if (isMade(type)) {
    const fleet = catalog.all("Fleet")[0]?.content.metadata.name ?? "";
    return { kind: "bridge", bridge: madeBridge(fleet, network) };
  }
  return type === "bridge" ? { kind: "bridge", bridge: spec?.bridge ?? "" } : { kind: type };
}

/** What odorobo's own servers say goes without saying: the bridge's address, and what they themselves answer. */
function configOf(
  network: string,
  nic: Pick<NicManifest, "gateway" | "dns">,
  spec: NetworkSpec | undefined,
): NicConfig {
  const serves = spec !== undefined && servesGuests(spec.type) && spec.dhcp !== false;
  const gateway = nic.gateway ?? (spec === undefined ? null : gatewayOf(spec));
  // Where an agent answers for names, it is whom guests ask, and asks others itself.
  const dns = nic.dns ?? (serves ? (gatewayOf(spec) === null ? null : [gatewayOf(spec) as string]) : spec?.dns);
  const domain = spec?.domain ?? (serves ? `${network}.internal` : null);
  const mtu = spec?.mtu ?? null;
  return {
    ...(gateway ? { gateway: canonicalAddress(gateway) } : {}),
    ...(dns?.length ? { dns: dns.map(canonicalAddress) } : {}),
    ...(domain === null ? {} : { domain }),
    ...(spec?.routes?.length
      ? { routes: spec.routes.map(({ to, via }) => ({ to: canonicalSubnet(to), via: canonicalAddress(via) })) }
      : {}),
    ...(mtu === null ? {} : { mtu }),
  };
}

/** The first address of its subnet unless it says another. Null: none is known. */
export function gatewayOf(spec: NetworkSpec): string | null {
  if (spec.gateway) return canonicalAddress(spec.gateway);
  const subnet = spec.subnet && servesGuests(spec.type) ? parseSubnet(spec.subnet) : null;
  return subnet ? addressAt(subnet, 1n) : null;
}

function madeOf(network: string, spec: NetworkSpec, catalog: Catalog): MadeNetwork | null {
  const { type, id, parent, port, subnet, subnet6, ipv6, dns, domain, mtu } = spec;
  if (!isMade(type)) return null;
  const serves = servesGuests(type) && Boolean(subnet ?? subnet6);
  const gateway = gatewayOf(spec);
  return {
    type,
    ...(id && (type === "vlan" || type === "vxlan") ? { id } : {}),
    ...(parent && type === "vlan" ? { parent } : {}),
    ...(type === "vxlan" ? { port: port ?? VXLAN_PORT, peers: underlayOf(catalog) } : {}),
    ...(subnet ? { subnet: canonicalSubnet(subnet) } : {}),
    ...(serves && subnet && gateway !== null ? { gateway } : {}),
    ...(subnet6 ? { subnet6: canonicalSubnet(subnet6), ipv6: ipv6 ?? "slaac" } : {}),
    ...(serves && spec.dhcp !== false
      ? {
          dhcp: true,
          ...(dns?.length ? { dns: dns.map(canonicalAddress) } : {}),
          domain: domain ?? `${network}.internal`,
        }
      : {}),
    ...(mtu ? { mtu } : {}),
  };
}

const underlays = new WeakMap<Catalog, Readonly<Record<string, string>>>();

/** By node, sorted; nodes of which none is known are left out, and a diagnostic of their own. */
export function underlayOf(catalog: Catalog): Readonly<Record<string, string>> {
  const known = underlays.get(catalog);
  if (known !== undefined) return known;
  const found = catalog.all("Node").flatMap(({ content: { metadata, spec } }): [string, string][] => {
    const address = spec.network?.underlay ?? hostOf(spec.address);
    return address === null || parseIp(address) === null ? [] : [[metadata.name, canonicalAddress(address)]];
  });
  const underlay = Object.fromEntries(found.sort(([a], [b]) => byName(a, b)));
  underlays.set(catalog, underlay);
  return underlay;
}

/** `http://[fd00::1]:8890` → `fd00::1`; null: it is no URL of a host. */
function hostOf(address: string): string | null {
  const host = /^https?:\/\/(\[[^\]]*\]|[^:/]*)/.exec(address)?.[1];
  return host === undefined ? null : host.replace(/^\[|\]$/g, "");
}

function rulesOf(nic: Pick<NicManifest, "firewall">, spec: NetworkSpec | undefined): NicRules {
  if (spec === undefined || spec.type === "user" || spec.type === "none") return {};
  const firewall = nic.firewall ?? spec.firewall ?? null;
  const guards = spec.antiSpoofing ?? (servesGuests(spec.type) && Boolean(spec.subnet ?? spec.subnet6));
  return {
    ...(spec.isolated ? { isolated: true } : {}),
    ...(guards ? { antiSpoofing: true } : {}),
    ...(firewall === null ? {} : { allow: firewall.allow.map(ruleOf) }),
  };
}

/** Groups are named still: `between-vms.ts` knows their members. */
function ruleOf({ from, port, protocol }: FirewallRuleManifest): FirewallRule {
  const peers = from == null ? [] : Array.isArray(from) ? from : [from];
  const ports = port == null ? [] : Array.isArray(port) ? port : [port];
  return {
    ...(peers.length === 0 || peers.includes("any") ? {} : { from: peers.map(peerOf) }),
    ...(ports.length === 0 ? {} : { ports: ports.map(portsOf) }),
    protocol: protocol ?? "tcp",
  };
}

const peerOf = (peer: string): string =>
  peer.startsWith(GROUP) ? peer : peer.includes("/") ? canonicalSubnet(peer) : canonicalAddress(peer);

export const GROUP = "group:";

function portsOf(port: number | string): readonly [number, number] {
  const [first, last = first] = `${port}`.split("-").map(Number) as [number, number?];
  return [first, last];
}

function canonicalSubnet(text: string): string {
  const subnet = parseSubnet(text);
  return subnet === null ? text : formatSubnet(subnet);
}
