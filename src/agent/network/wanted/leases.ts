/**
 * Which address a NIC gets that declares none: the agent decides, and its server hands out nothing else. So an address is known before the guest
 * asks for it, rules can hold the guest to it, and it stays the NIC's while the agent's data folder does. Pure.
 */
import { digestOfText } from "../../../model/digest.ts";
import { addressAt, isWithin, parseIp, parseSubnet, sizeOf, slaacAddress } from "../../../model/identity/subnet.ts";
import { byName } from "../../../model/names.ts";
import type { Nic } from "../../../model/vm-spec.ts";
import type { Leases, NicAddresses, PlacedNic } from "./wanted-network.ts";

export interface Leased {
  readonly leases: Leases;
  /** NICs for which there was none left: `web-1's eth0`, by bridge. */
  readonly exhausted: ReadonlyMap<string, readonly string[]>;
}

/** Those of NICs that are not here any more are kept for when they come back, until somebody else needs them. */
export function leaseAddresses(before: Leases, placed: readonly PlacedNic[]): Leased {
  const leases: Record<string, Record<string, string>> = Object.fromEntries(
    Object.entries(before).map(([bridge, known]) => [bridge, { ...known }]),
  );
  const exhausted = new Map<string, string[]>();
  for (const [bridge, there] of byBridge(placed)) {
    const subnet = parseSubnet(there[0]?.nic.made?.subnet ?? "");
    const asking = there.filter(({ nic }) => needsLease(nic));
    if (subnet === null || asking.length === 0) continue;
    const known = leases[bridge] ?? {};
    const here = new Set(asking.map(({ nic }) => nic.mac));
    const gateway = there[0]?.nic.made?.gateway ?? "";
    const declared = new Set([gateway, ...there.flatMap(({ nic }) => nic.address?.split("/")[0] ?? [])]);
    const mine: Record<string, string> = {};
    const taken = new Set(declared);
    for (const [mac, address] of Object.entries(known)) {
      const ip = parseIp(address);
      if (!here.has(mac) || ip === null || !isWithin(subnet, ip) || taken.has(address)) continue;
      mine[mac] = address;
      taken.add(address);
    }
    const away = Object.entries(known).filter(([mac, address]) => !here.has(mac) && !taken.has(address));
    const reserved = new Map(away.map(([mac, address]) => [address, mac]));
    for (const { vm, nic } of asking) {
      if (mine[nic.mac] !== undefined) continue;
      const free = (isFree: (address: string) => boolean) => firstFree(subnet, nic.mac, isFree);
      const address = free((each) => !taken.has(each) && !reserved.has(each)) ?? free((each) => !taken.has(each));
      if (address === null) {
        exhausted.set(bridge, [...(exhausted.get(bridge) ?? []), `${vm}'s ${nic.name}`]);
        continue;
      }
      mine[nic.mac] = address;
      taken.add(address);
      reserved.delete(address);
    }
    leases[bridge] = { ...Object.fromEntries([...reserved].map(([address, mac]) => [mac, address])), ...mine };
  }
  return { leases, exhausted };
}

/** Whether an agent has to find an IPv4 address for it. */
export const needsLease = ({ made, address }: Nic): boolean =>
  made?.dhcp === true && made.subnet !== undefined && (address === null || address.includes(":"));

/** Beginning at a place of the MAC address's own: who comes back after the notes are lost mostly gets the same. */
function firstFree(
  subnet: NonNullable<ReturnType<typeof parseSubnet>>,
  mac: string,
  isFree: (address: string) => boolean,
): string | null {
  // Neither the network's own address nor its broadcast.
  const count = sizeOf(subnet) - 2n;
  const start = BigInt(`0x${digestOfText(`lease/${mac}`).slice(0, 12)}`) % count;
  for (let step = 0n; step < count && step < MOST_STEPS; step++) {
    const address = addressAt(subnet, 1n + ((start + step) % count));
    if (isFree(address)) return address;
  }
  return null;
}

/** More NICs than any node has. */
const MOST_STEPS = 1n << 17n;

/** Known here of its network: what it declares first. By SLAAC and by DHCPv6 it has the same one. */
export function addressesOf(nic: Nic, bridge: string, leases: Leases): NicAddresses {
  const declared = nic.address?.split("/")[0] ?? null;
  const isV6 = declared?.includes(":") === true;
  const subnet6 = nic.made?.subnet6 === undefined ? null : parseSubnet(nic.made.subnet6);
  return {
    ipv4: declared !== null && !isV6 ? declared : (leases[bridge]?.[nic.mac] ?? null),
    ipv6: isV6 ? declared : subnet6 === null ? null : slaacAddress(subnet6, nic.mac),
  };
}

/** In one order, whoever was placed first. */
export function byBridge(placed: readonly PlacedNic[]): ReadonlyMap<string, readonly PlacedNic[]> {
  const found = new Map<string, PlacedNic[]>();
  const sorted = [...placed].sort((a, b) => byName(a.vm, b.vm) || byName(a.nic.name, b.nic.name));
  for (const each of sorted) {
    const { attachment } = each.nic;
    if (attachment.kind !== "bridge") continue;
    found.set(attachment.bridge, [...(found.get(attachment.bridge) ?? []), each]);
  }
  return new Map([...found].sort(([a], [b]) => byName(a, b)));
}
