/** What Networks say that cannot be, each by itself and beside one another. */
import type { FirewallRuleManifest, NetworkDocument, NetworkSpec } from "../../../model/documents.ts";
import { formatSubnet, isWithin, overlap, parseIp, parseSubnet, type Subnet } from "../../../model/identity/subnet.ts";
import type { Diagnostic } from "../../text/diagnostic.ts";
import type { Segments } from "../../text/places.ts";
import { diagnose, type Finding, type SourceDocument } from "../../text/source-document.ts";
import type { Catalog } from "../catalog.ts";
import { isMade, servesGuests, underlayOf } from "./build-networks.ts";

type Report = (found: Diagnostic) => void;
type NetworkSource = SourceDocument<NetworkDocument>;

/** Which types a field is for. */
const FIELDS_OF: Readonly<Partial<Record<keyof NetworkSpec, readonly NetworkSpec["type"][]>>> = {
  bridge: ["bridge"],
  subnet: ["nat", "routed", "vxlan", "vlan", "bridge"],
  subnet6: ["nat", "routed", "vxlan"],
  ipv6: ["nat", "routed", "vxlan"],
  gateway: ["nat", "routed", "vxlan", "vlan", "bridge"],
  dhcp: ["nat", "routed", "vxlan"],
  dns: ["nat", "routed", "vxlan", "vlan", "bridge"],
  domain: ["nat", "routed", "vxlan", "vlan", "bridge"],
  routes: ["nat", "routed", "vxlan", "vlan", "bridge"],
  mtu: ["nat", "routed", "vxlan", "vlan", "bridge"],
  isolated: ["nat", "routed", "vxlan", "vlan", "bridge"],
  antiSpoofing: ["nat", "routed", "vxlan", "vlan", "bridge"],
  firewall: ["nat", "routed", "vxlan", "vlan", "bridge"],
  id: ["vlan", "vxlan"],
  parent: ["vlan"],
  peers: ["vxlan"],
  port: ["vxlan"],
};

const SUBNET6_BITS = 64;
const LAST_VLAN = 4094;
const VXLAN_PORT = 4789;

export function checkNetworks(catalog: Catalog, report: Report): void {
  for (const document of catalog.all("Network")) if (!document.isBroken) checkNetwork(document, report);
  checkBetweenNetworks(catalog, report);
  checkUnderlay(catalog, report);
}

function checkNetwork(document: NetworkSource, report: Report): void {
  const { spec } = document.content;
  const { type } = spec;
  const tell = (at: Segments, finding: Finding) => report(diagnose(document, ["spec", ...at], finding));
  const missing = (message: string, hint: string) => tell(["type"], { code: "missing-field", message, hint });
  if (type === "bridge" && !spec.bridge) missing("which bridge?", "add bridge: the interface's name on the nodes");
  if ((type === "nat" || type === "routed") && !spec.subnet && !spec.subnet6)
    missing("which addresses?", "add subnet, such as 10.20.0.0/24, one that no node uses for anything else");
  if (type === "vlan" && !spec.id) missing("which VLAN?", "add id, 1 to 4094");
  if (type === "vlan" && !spec.parent) missing("on which card?", "add parent: the interface's name on the nodes");
  if (type === "vxlan" && !spec.id)
    missing("which VNI?", "add id, 1 to 16777215, one that nothing else on the nodes' network uses");
  for (const [field, types] of Object.entries(FIELDS_OF)) {
    const value = spec[field as keyof NetworkSpec];
    if (value === undefined || value === null || types.includes(type)) continue;
    tell([field], {
      code: "conflicting-fields",
      message: `a network of type ${type} has no ${field}`,
      hint: field === "bridge" ? "type: bridge?" : `that is for ${types.join(", ")}`,
    });
  }
  if (type === "vlan" && spec.id && spec.id > LAST_VLAN)
    tell(["id"], { code: "bad-value", message: `there is no VLAN ${spec.id}`, hint: "1 to 4094" });
  checkAddresses(spec, tell);
  for (const [index, rule] of (spec.firewall?.allow ?? []).entries())
    checkFirewallRule(rule, ["firewall", "allow", index], tell);
}

function checkAddresses(spec: NetworkSpec, tell: (at: Segments, finding: Finding) => void): void {
  const subnet = spec.subnet ? parseSubnet(spec.subnet) : null;
  for (const [field, text] of [
    ["subnet", spec.subnet],
    ["subnet6", spec.subnet6],
  ] as const) {
    if (!text) continue;
    const parsed = parseSubnet(text);
    if (parsed === null) {
      tell([field], { code: "bad-value", message: `${text} is no subnet`, hint: "such as 10.20.0.0/24" });
      continue;
    }
    const meant = parseIp(text.split("/")[0] ?? "");
    if (meant !== null && meant.value !== parsed.value)
      tell([field], {
        code: "bad-value",
        message: `${text} is an address in a subnet, and not a subnet`,
        hint: formatSubnet(parsed),
      });
    if (parsed.bits === 32 && servesGuests(spec.type) && (parsed.prefix > 30 || parsed.prefix < 8))
      tell([field], {
        code: "bad-value",
        message: `${text} has no room for a gateway and a guest`,
        hint: "a prefix of 8 to 30 bits",
      });
    if (parsed.bits === 128 && parsed.prefix !== SUBNET6_BITS)
      tell([field], {
        code: "bad-value",
        message: `${text} has not 64 bits`,
        hint: "guests choose addresses only in a /64",
      });
  }
  if (spec.gateway && subnet !== null && !isHostOf(subnet, spec.gateway))
    tell(["gateway"], {
      code: "bad-value",
      message: `${spec.gateway} is no host of ${formatSubnet(subnet)}`,
      hint: "one of its addresses; left out: the first",
    });
  if (spec.gateway && servesGuests(spec.type) && subnet === null)
    tell(["gateway"], { code: "conflicting-fields", message: "a gateway of no subnet", hint: "add subnet" });
  for (const [index, { to, via }] of (spec.routes ?? []).entries()) {
    if (parseSubnet(to) === null || parseIp(via) === null)
      tell(["routes", index], {
        code: "bad-value",
        message: "this is no way to a subnet",
        hint: "such as { to: 10.0.0.0/8, via: 10.20.0.9 }",
      });
  }
}

/** Neither the network's own address nor its broadcast. */
export function isHostOf(subnet: Subnet, address: string): boolean {
  const ip = parseIp(address);
  if (ip === null || !isWithin(subnet, ip)) return false;
  const place = ip.value - subnet.value;
  return subnet.bits === 128 || subnet.prefix > 30 || (place !== 0n && place !== 2n ** BigInt(32 - subnet.prefix) - 1n);
}

export function checkFirewallRule(
  { from, port, protocol }: FirewallRuleManifest,
  at: Segments,
  tell: (at: Segments, finding: Finding) => void,
): void {
  const peers = from == null ? [] : Array.isArray(from) ? from : [from];
  const ports = port == null ? [] : Array.isArray(port) ? port : [port];
  for (const peer of peers)
    if (peer !== "any" && !peer.startsWith("group:") && parseSubnet(peer) === null)
      tell([...at, "from"], {
        code: "bad-value",
        message: `${peer} is neither an address nor a subnet`,
        hint: "such as 10.0.0.0/8",
      });
  for (const each of ports) {
    const [first = 0, last = first] = `${each}`.split("-").map(Number);
    if (first < 1 || last > 65_535 || last < first)
      tell([...at, "port"], {
        code: "bad-value",
        message: `${each} is no range of ports`,
        hint: "1 to 65535, the lower one first",
      });
  }
  if (ports.length > 0 && (protocol === "icmp" || protocol === "any"))
    tell([...at, "port"], {
      code: "conflicting-fields",
      message: `protocol ${protocol} has no ports`,
      hint: "tcp or udp",
    });
}

/** Each node may have a guest on any of them. */
function checkBetweenNetworks(catalog: Catalog, report: Report): void {
  const subnets: { readonly name: string; readonly subnet: Subnet }[] = [];
  const ids = new Map<string, string>();
  for (const document of catalog.all("Network")) {
    const { metadata, spec } = document.content;
    if (document.isBroken || !isMade(spec.type)) continue;
    for (const field of ["subnet", "subnet6"] as const) {
      const text = spec[field];
      const subnet = text && servesGuests(spec.type) ? parseSubnet(text) : null;
      if (!subnet) continue;
      const other = subnets.find((each) => overlap(each.subnet, subnet));
      if (other !== undefined)
        report(
          diagnose(document, ["spec", field], {
            code: "duplicate-address",
            message: `network ${other.name} has addresses of it, too: ${formatSubnet(other.subnet)}`,
            hint: "a node may have guests of both: give each addresses of its own",
          }),
        );
      subnets.push({ name: metadata.name, subnet });
    }
    if (!spec.id) continue;
    const key =
      spec.type === "vlan" ? `VLAN ${spec.id} on ${spec.parent}` : `VNI ${spec.id} on port ${spec.port ?? VXLAN_PORT}`;
    const owner = ids.get(key);
    if (owner === undefined) ids.set(key, metadata.name);
    else
      report(
        diagnose(document, ["spec", "id"], {
          code: "duplicate-name",
          message: `network ${owner} is ${key} already`,
          hint: "a node can have it once: give one another id",
        }),
      );
  }
}

/** A network that spans nodes must know them all. */
function checkUnderlay(catalog: Catalog, report: Report): void {
  const spanning = catalog.all("Network").find(({ content }) => content.spec.type === "vxlan");
  if (spanning === undefined) return;
  const underlay = underlayOf(catalog);
  const owners = new Map<string, string>();
  for (const document of catalog.all("Node")) {
    const { metadata } = document.content;
    const address = underlay[metadata.name];
    const name = spanning.content.metadata.name;
    if (address === undefined) {
      report(
        diagnose(document, ["spec", "address"], {
          code: "missing-field",
          message: `network ${name} spans the fleet's nodes, and nobody knows this one's address there`,
          hint: "add network.underlay: its IP address as other nodes reach it",
        }),
      );
      continue;
    }
    const owner = owners.get(address);
    if (owner === undefined) owners.set(address, metadata.name);
    else
      report(
        diagnose(document, ["spec", "network", "underlay"], {
          code: "duplicate-address",
          message: `network ${name} would reach ${owner} by ${address}, too`,
          hint: "give each node its own network.underlay",
        }),
      );
  }
}
