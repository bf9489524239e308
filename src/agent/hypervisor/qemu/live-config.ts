/**
 * What a running QEMU says of itself → LiveConfig, in the spec's own words. Pure.
 *
 * QEMU knows which devices there are, how large disks are and how many CPUs are plugged; it does not know what an image is or
 * which manifest a kernel came from. Those words are taken from what the guest was booted with and what was attached since:
 * they name things, QEMU's answers decide whether they are there.
 */
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { Disk, Nic, VmSpec } from "../../../model/vm-spec.ts";
import type { Attached } from "./attached.ts";
import { deviceIdOf, diskId, nicId } from "./device-ids.ts";
import { type ListedForwards, withListed } from "./host-forwards.ts";
import type { BlockBackend, CpuSlot, MemorySummary } from "./qmp/qmp-commands.ts";

const MIB = 1024 * 1024;

export interface QemuAnswers {
  readonly peripherals: readonly { readonly name: string }[];
  readonly cpuSlots: readonly CpuSlot[];
  readonly memory: MemorySummary;
  readonly blocks: readonly BlockBackend[];
  /** Left out where the guest has no user network. */
  readonly forwards?: ListedForwards;
}

export function toLiveConfig(booted: VmSpec, attached: Attached, answers: QemuAnswers): LiveConfig {
  // What is left behind a device that the guest let go of is the process's as well.
  const present = new Set([...answers.peripherals.map((device) => device.name), ...attached.releasing.map(deviceIdOf)]);
  const blocks = new Map(answers.blocks.map((block) => [block.inserted?.["node-name"], block.inserted]));
  return {
    cpus: {
      count: cpuCount(answers.cpuSlots.filter((slot) => slot["qom-path"] !== undefined)),
      max: cpuCount(answers.cpuSlots),
    },
    memory: {
      sizeMiB: (answers.memory["base-memory"] + (answers.memory["plugged-memory"] ?? 0)) / MIB,
      maxMiB: booted.memory.maxMiB,
    },
    boot: booted.boot,
    disks: known(booted.disks, attached.disks)
      .filter((disk) => present.has(diskId(disk.name)))
      .map((disk) => liveDisk(disk, blocks.get(diskId(disk.name)))),
    nics: known(booted.nics, attached.nics)
      .filter((nic) => present.has(nicId(nic.name)))
      .map((nic) => (answers.forwards === undefined ? nic : withListed(nic, answers.forwards))),
    cloudInit: booted.cloudInit,
    passthrough: booted.passthrough,
  };
}

/** In the order of the boot, then of attaching. What was attached later stands for what had its name before. */
function known<T extends Disk | Nic>(booted: readonly T[], attached: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const item of [...booted, ...attached]) byName.set(item.name, item);
  return [...byName.values()];
}

function liveDisk(disk: Disk, block: BlockBackend["inserted"]): Disk {
  if (block === undefined) return disk;
  if (disk.origin.kind === "external") return { ...disk, readonly: block.ro };
  const sizeMiB = Math.floor(block.image["virtual-size"] / MIB);
  return { ...disk, readonly: block.ro, origin: { ...disk.origin, sizeMiB } };
}

const cpuCount = (slots: readonly CpuSlot[]): number => slots.reduce((sum, slot) => sum + slot["vcpus-count"], 0);
