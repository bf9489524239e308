/**
 * What a real guest needs of its host besides disks: the seed image, taps for bridged NICs. Made before the guest starts,
 * and the taps are gone when it is. Stand-ins need none of it.
 */
import { rm } from "node:fs/promises";
import { sameValue } from "../../../model/fields.ts";
import type { Nic, VmSpec } from "../../../model/vm-spec.ts";
import type { Hypervisor, LaunchInput } from "../../hypervisor/hypervisor.ts";
import { seedImageFile } from "../../launch-command.ts";
import { writeSeedImage } from "../../storage/seed-image.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";

export async function prepareHostSide(
  parts: Parts,
  hypervisor: Hypervisor,
  input: LaunchInput,
  signal: AbortSignal,
): Promise<void> {
  if (hypervisor.disks !== "real") return;
  // One of an older spec holds secrets that nobody needs any more.
  if (input.spec.cloudInit === null) await rm(seedImageFile(input.paths), { force: true });
  else await writeSeedImage(input);
  await parts.network.prepareTaps(input.name, input.spec.nics, signal);
}

/**
 * For NICs that are about to be attached to a running guest. A tap is named after its NIC: one that the guest has under this
 * name, on another bridge, stays where it is until the reboot.
 */
export async function prepareNewTaps(parts: Parts, vm: VmRecord, booted: VmSpec, signal: AbortSignal): Promise<void> {
  if (!isReal(parts, booted)) return;
  const added = vm.spec.nics.filter((nic) => !booted.nics.some(({ name }) => name === nic.name));
  await parts.network.prepareTaps(vm.name, added, signal);
}

/** For NICs that were detached from a running guest. */
export async function removeOldTaps(parts: Parts, vm: VmRecord, booted: VmSpec, now: VmSpec): Promise<void> {
  if (isReal(parts, booted)) await removeTaps(parts, vm, without(booted.nics, now.nics));
}

/** Of a guest that has ended. */
export async function removeHostSide(parts: Parts, vm: VmRecord): Promise<void> {
  const booted = vm.guest?.bootedSpec ?? vm.spec;
  if (isReal(parts, booted)) await removeTaps(parts, vm, [...booted.nics, ...without(vm.spec.nics, booted.nics)]);
}

/** A tap that stays behind is found again by the next boot: no reason to call the end of a guest a failure. */
async function removeTaps(parts: Parts, vm: VmRecord, nics: readonly Nic[]): Promise<void> {
  try {
    await parts.network.removeTaps(vm.name, nics, parts.stopping);
  } catch (error) {
    parts.logger.warn({ err: error, vm: vm.name }, "could not remove the taps of a guest that has ended");
  }
}

const isReal = (parts: Parts, spec: VmSpec): boolean => parts.hypervisors.get(spec.hypervisor)?.disks === "real";

const without = (nics: readonly Nic[], others: readonly Nic[]): readonly Nic[] =>
  nics.filter((nic) => !others.some((other) => other.name === nic.name && sameValue(other.attachment, nic.attachment)));
