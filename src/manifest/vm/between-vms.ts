/** What only shows when VMs are looked at together: MAC addresses, addresses, disks that two would write to. */

import { deriveMac } from "../../model/identity/derive-mac.ts";
import { canonicalAddress } from "../../model/identity/net-address.ts";
import { byName } from "../../model/names.ts";
import type { FirewallRule, Nic } from "../../model/vm-spec.ts";
import type { BuiltVm, ReportAbout } from "./built-vm.ts";
import { GROUP } from "./networks/build-networks.ts";
import type { ReadingMemory } from "./reading-memory.ts";
import { checkSharedDevices, checkSharedDisks, type ImagePath } from "./shared-bytes.ts";

/** `vms` sorted by name: of two that clash, the later one hears of it. */
export function checkBetweenVms(vms: readonly BuiltVm[], images: readonly ImagePath[], report: ReportAbout): void {
  checkSharedDisks(vms, images, report);
  checkSharedDevices(vms, report);
  checkAddresses(vms, report);
}

/** Written MACs first, because they cannot give way; derived ones step aside, in the order of names. */
export function withMacs(
  fleet: string,
  vms: readonly BuiltVm[],
  report: ReportAbout,
  memory: ReadingMemory | null = null,
): BuiltVm[] {
  const taken = writtenMacs(vms, report);
  const derive = (vm: string, nic: string): string => {
    for (let attempt = 0; ; attempt++) {
      const mac = deriveMac(fleet, vm, nic, attempt);
      if (taken.has(mac)) continue;
      taken.set(mac, `${vm}'s ${nic}`);
      return mac;
    }
  };
  return vms.map((vm) => {
    if (vm.spec.nics.every(({ mac }) => mac !== "")) return vm;
    const macs = vm.spec.nics.map(({ mac, name }) => (mac === "" ? derive(vm.name, name) : mac));
    const make = (): BuiltVm => {
      const nics = vm.spec.nics.map((nic, index) => (nic.mac === "" ? { ...nic, mac: macs[index] as string } : nic));
      return { ...vm, spec: { ...vm.spec, nics } };
    };
    return memory === null ? make() : memory.withMacs(vm, macs, make);
  });
}

/**
 * Rules that name a group get its members' addresses: the agents know no groups. A member that declares none on this network cannot be told from
 * others by its packets.
 */
export function withGroups(vms: readonly BuiltVm[], report: ReportAbout): BuiltVm[] {
  const namesGroup = ({ rules }: Nic): boolean =>
    rules?.allow?.some(({ from }) => from?.some((peer) => peer.startsWith(GROUP))) === true;
  return vms.map((vm) => {
    if (!vm.spec.nics.some(namesGroup)) return vm;
    const nics = vm.spec.nics.map((nic): Nic => {
      if (!namesGroup(nic)) return nic;
      const allow = (nic.rules?.allow ?? []).map((rule): FirewallRule => {
        const from = (rule.from ?? []).flatMap((peer) =>
          peer.startsWith(GROUP) ? addressesOf(vms, peer.slice(GROUP.length), vm, nic, report) : [peer],
        );
        return rule.from === undefined ? rule : { ...rule, from: [...new Set(from)].sort(byName) };
      });
      return { ...nic, rules: { ...nic.rules, allow } };
    });
    // Members come and go: nothing of it is kept for the next reading.
    return { ...vm, key: null, spec: { ...vm.spec, nics } };
  });
}

function addressesOf(
  vms: readonly BuiltVm[],
  group: string,
  vm: BuiltVm,
  { name, network }: Nic,
  report: ReportAbout,
): readonly string[] {
  const addresses: string[] = [];
  for (const member of vms) {
    if (member.spec.group !== group) continue;
    for (const other of member.spec.nics) {
      if (other.network !== network) continue;
      const [address = null] = other.address?.split("/") ?? [];
      if (address !== null) addresses.push(address);
      else
        report(vm, ["nics", name, "firewall"], {
          code: "missing-field",
          message: `a rule of NIC ${name} names group ${group}, and its member ${member.name} declares no address on network ${network}`,
          hint: `add address to NIC ${other.name} of ${member.name}`,
        });
    }
  }
  return addresses;
}

function writtenMacs(vms: readonly BuiltVm[], report: ReportAbout): Map<string, string> {
  const owners = new Map<string, string>();
  for (const vm of vms) {
    for (const { name, mac } of vm.spec.nics) {
      if (mac === "") continue;
      const owner = owners.get(mac);
      if (owner === undefined) owners.set(mac, `${vm.name}'s ${name}`);
      else
        report(vm, ["nics", name, "mac"], {
          code: "duplicate-mac",
          message: `${owner} has this MAC address too`,
          hint: "leave mac out: a unique one is derived",
        });
    }
  }
  return owners;
}

function checkAddresses(vms: readonly BuiltVm[], report: ReportAbout): void {
  const owners = new Map<string, string>();
  for (const vm of vms) {
    for (const { name, network, address } of vm.spec.nics) {
      if (address === null) continue;
      const key = `${network} ${canonicalAddress(address).split("/")[0]}`;
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, vm.name);
      else
        report(vm, ["nics", name, "address"], {
          code: "duplicate-address",
          message: `${owner} has this address on network ${network} too`,
          hint: "give each its own",
        });
    }
  }
}
