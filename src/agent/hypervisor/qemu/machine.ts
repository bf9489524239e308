/**
 * What the boot of a guest fixes for its life and no spec tells later: kept with the guest's record, and what the process is made from that takes it
 * in on another node. Worked out anew from today's spec it would differ: in ports after a detach, in places after a live attach, in queues after a CPU
 * was added, in the machine's version after an upgrade. QEMU notices some of that when the guest stands still already, and some never.
 */
import { OdoroboError } from "../../../model/errors.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { LaunchInput } from "../hypervisor.ts";
import type { QemuHost } from "./host.ts";
import { portCount } from "./topology.ts";

export interface QemuMachine {
  /** `pc-q35-7.2`: an alias means another one after an upgrade. */
  readonly version: string;
  readonly accelerator: "kvm" | "tcg";
  readonly cpus: number;
  readonly maxCpus: number;
  readonly memoryMiB: number;
  readonly maxMemoryMiB: number;
  readonly ports: { readonly disk: number; readonly nic: number };
  /** By name: which port it is behind. */
  readonly places: { readonly disk: Places; readonly nic: Places };
  /** CPUs that were plugged in since, as `device_add` takes them. */
  readonly addedCpus: readonly CpuPlug[];
}

type Places = Readonly<Record<string, number>>;
export type CpuPlug = Readonly<Record<string, string | number>> & { readonly driver: string; readonly id: string };

export const machineOf = ({ spec }: Pick<LaunchInput, "spec">, host: QemuHost): QemuMachine => ({
  version: host.machine,
  accelerator: host.accelerator,
  cpus: spec.cpus.count,
  maxCpus: spec.cpus.max,
  memoryMiB: spec.memory.sizeMiB,
  maxMemoryMiB: spec.memory.maxMiB,
  ports: { disk: portCount("disk", spec.disks.length), nic: portCount("nic", spec.nics.length) },
  places: { disk: inOrder(spec.disks), nic: inOrder(spec.nics) },
  addedCpus: [],
});

const inOrder = (items: VmSpec["disks"] | VmSpec["nics"]): Places =>
  Object.fromEntries(items.map(({ name }, index) => [name, index]));

/** As it was noted at the boot; null: an agent of before booted it. */
export const knownMachine = ({ machine }: Pick<LaunchInput, "machine">): QemuMachine | null =>
  typeof machine === "object" && machine !== null && "places" in machine ? (machine as QemuMachine) : null;

/** Of a guest that comes from elsewhere. Throws UNSUPPORTED. */
export function checkMachine(name: string, machine: QemuMachine, host: QemuHost): void {
  const refuse = (why: string, hint: string): never => {
    throw new OdoroboError("UNSUPPORTED", `${name} cannot come to this node: ${why}`, { hint });
  };
  if (machine.accelerator !== host.accelerator)
    refuse(
      `it runs on ${machine.accelerator} where it is, guests here run on ${host.accelerator}`,
      "stop it and start it on this node",
    );
  if (host.machines.length > 0 && !host.machines.includes(machine.version))
    refuse(
      `it has machine ${machine.version}, which QEMU ${host.version} here does not have`,
      "upgrade QEMU on this node; or stop it and start it here: it gets this node's machine then",
    );
}
