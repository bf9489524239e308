/**
 * From the NICs that are placed here to what must stand on this node. Pure: the same guests, the same networks, down to each byte of their
 * rules and configurations.
 *
 *   lifecycle's records → [wanted-networks.ts] → diff.ts → perform.ts
 */
import { digestOfText } from "../../../model/digest.ts";
import { addressAt, parseSubnet } from "../../../model/identity/subnet.ts";
import { byName } from "../../../model/names.ts";
import type { MadeNetwork, Nic } from "../../../model/vm-spec.ts";
import { tapName } from "../../launch-command.ts";
import { bridgeRules } from "./bridge-rules.ts";
import { addressesOf, byBridge } from "./leases.ts";
import { type GuestForward, routingRules } from "./routing-rules.ts";
import { serverConfig } from "./server-config.ts";
import type { NodeFacts, OwnBridge, PlacedNic, Table, Uplink, WantedNetwork } from "./wanted-network.ts";

const ETHERNET_MTU = 1500;
/** Outer Ethernet, IP, UDP and VXLAN headers (RFC 7348). */
const VXLAN_OVERHEAD = { 4: 50, 6: 70 } as const;

/** What an agent makes has these names; others of its prefix and mark are left over. */
export const PREFIXES = { bridge: "odb", vxlan: "odx", vlan: "odv" } as const;

/** Two agents of one node never have one table. */
export const tableName = (bridge: string, owner: string): string =>
  `odorobo-${bridge}-${digestOfText(`owner/${owner}`).slice(0, 8)}`;

export const aliasOf = (owner: string, network: string): string => `odorobo:${owner}:${network}`;

/** Sorted by bridge. NICs on bridges of the node's own, without rules, want nothing. */
export function wantedNetworks(placed: readonly PlacedNic[], facts: NodeFacts): readonly WantedNetwork[] {
  return [...byBridge(placed)].flatMap(([bridge, there]) => {
    const newest = [...there].sort((a, b) => byName(b.appliedAt, a.appliedAt) || byName(a.vm, b.vm))[0] as PlacedNic;
    if (newest.nic.made === undefined && there.every(({ nic }) => nic.rules === undefined)) return [];
    return [wantedNetwork(bridge, there, newest.nic, facts)];
  });
}

function wantedNetwork(bridge: string, there: readonly PlacedNic[], newest: Nic, facts: NodeFacts): WantedNetwork {
  const { made = null, network, config = {} } = newest;
  const forwards = made?.type === "nat" ? there.flatMap((each) => forwardsOf(each, bridge, facts)) : [];
  const own = made === null ? null : ownBridge(bridge, network, made, facts, forwards.length > 0);
  const problem = typeof own === "string" ? own : null;
  const whole = own === null || typeof own === "string" ? null : own;
  const addresses = ({ nic }: PlacedNic) => addressesOf(nic, bridge, facts.leases);
  return {
    network,
    bridge,
    own: whole,
    problem,
    ports: there.map(({ vm, nic }) => ({
      tap: tapName(vm, nic.name),
      mac: `fe${nic.mac.slice(2)}`,
      isolated: nic.rules?.isolated === true,
    })),
    tables: [
      ...bridgeTable(bridge, there, newest, whole, facts),
      ...routingTable(bridge, made, whole, facts, forwards),
    ],
    dnsmasq:
      whole === null || made?.dhcp !== true
        ? null
        : serverConfig({
            ...{ bridge, made, config, mtu: whole.mtu, far: {}, resolvers: facts.resolvers },
            nics: there.map((each) => ({ vm: each.vm, mac: each.nic.mac, addresses: addresses(each) })),
          }),
  };
}

/** Those that have a port of the node. */
function forwardsOf({ nic }: PlacedNic, bridge: string, { leases }: NodeFacts): readonly GuestForward[] {
  const { ipv4 } = addressesOf(nic, bridge, leases);
  if (ipv4 === null) return [];
  return (nic.forwards ?? []).flatMap(({ hostPort, ...forward }) =>
    hostPort === null ? [] : [{ ...forward, hostPort, address: ipv4 }],
  );
}

/** In words: why it cannot be made here. */
function ownBridge(
  bridge: string,
  network: string,
  made: MadeNetwork,
  facts: NodeFacts,
  carriesLoopback: boolean,
): OwnBridge | string {
  const uplink = uplinkOf(bridge, made, facts);
  if (typeof uplink === "string") return uplink;
  const most = mostOf(uplink, facts);
  if (made.mtu !== undefined && made.mtu > most)
    return `packets of ${made.mtu} bytes do not fit: ${uplink?.kind === "vxlan" ? `${uplink.dev} carries ${most} beside the way between nodes` : `its card carries ${most}`}`;
  const subnet = made.subnet === undefined ? null : parseSubnet(made.subnet);
  const subnet6 = made.subnet6 === undefined ? null : parseSubnet(made.subnet6);
  const addresses = [
    ...(subnet !== null && made.gateway !== undefined ? [`${made.gateway}/${subnet.prefix}`] : []),
    ...(subnet6 !== null ? [`${addressAt(subnet6, 1n)}/${subnet6.prefix}`] : []),
  ];
  const routes = made.type !== "vlan";
  return {
    alias: aliasOf(facts.owner, network),
    mac: bridgeMac(bridge),
    mtu: made.mtu ?? Math.min(most, uplink === null ? ETHERNET_MTU : most),
    addresses,
    uplink,
    carriesLoopback,
    forwards: [
      ...(routes && subnet !== null && made.gateway !== undefined ? (["ipv4"] as const) : []),
      ...(routes && subnet6 !== null ? (["ipv6"] as const) : []),
    ],
  };
}

/** The same on every node: a guest that moves finds its gateway where it left it. Locally administered, unicast. */
const bridgeMac = (bridge: string): string => {
  const hex = digestOfText(`bridge/${bridge}`);
  return `02:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}`;
};

function uplinkOf(bridge: string, made: MadeNetwork, { addresses }: NodeFacts): Uplink | null | string {
  const name = (prefix: string) => `${prefix}${bridge.slice(PREFIXES.bridge.length)}`;
  const { type, id = 0, parent = "", port = 0, peers = {} } = made;
  if (type === "vlan") return { kind: "vlan", name: name(PREFIXES.vlan), parent, id };
  if (type !== "vxlan") return null;
  const all = Object.values(peers);
  const own = addresses.find(({ address }) => all.includes(address));
  if (own === undefined)
    return `none of the fleet's addresses between nodes is this node's: ${all.length === 0 ? "there are none" : all.sort(byName).join(", ")}`;
  return {
    ...{ kind: "vxlan", name: name(PREFIXES.vxlan), id, port, local: own.address, dev: own.dev },
    peers: all.filter((each) => each !== own.address && each.includes(":") === own.address.includes(":")).sort(byName),
  };
}

/** The largest packet that its way out of the node takes. */
function mostOf(uplink: Uplink | null, { addresses }: NodeFacts): number {
  if (uplink === null) return 65_535;
  const dev = uplink.kind === "vxlan" ? uplink.dev : uplink.parent;
  const mtu = addresses.find((each) => each.dev === dev)?.mtu ?? ETHERNET_MTU;
  return uplink.kind === "vxlan" ? mtu - VXLAN_OVERHEAD[uplink.local.includes(":") ? 6 : 4] : mtu;
}

function bridgeTable(
  bridge: string,
  there: readonly PlacedNic[],
  { made }: Nic,
  own: OwnBridge | null,
  { owner, leases }: NodeFacts,
): readonly Table[] {
  const body = bridgeRules({
    mac: own?.mac ?? null,
    gateway: made?.gateway ?? null,
    uplink: own?.uplink ?? null,
    ports: there.map(({ vm, nic }) => ({
      ...{ tap: tapName(vm, nic.name), mac: nic.mac, addresses: addressesOf(nic, bridge, leases) },
      ...{ antiSpoofing: nic.rules?.antiSpoofing === true, allow: nic.rules?.allow ?? null },
    })),
  });
  return body === null ? [] : [{ family: "bridge", name: tableName(bridge, owner), body }];
}

function routingTable(
  bridge: string,
  made: MadeNetwork | null,
  own: OwnBridge | null,
  { owner }: NodeFacts,
  forwards: readonly GuestForward[],
): readonly Table[] {
  if (made === null || own === null || own.forwards.length === 0) return [];
  const subnets = [
    ...(own.forwards.includes("ipv4") && made.subnet !== undefined ? [made.subnet] : []),
    ...(made.subnet6 === undefined ? [] : [made.subnet6]),
  ];
  const body = routingRules({ bridge, subnets, translates: made.type !== "routed", forwards });
  return [{ family: "inet", name: tableName(bridge, owner), body }];
}
