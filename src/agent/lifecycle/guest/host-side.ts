/**
 * What a real guest needs of its host besides disks: the seed image, taps for bridged NICs. Made before the guest starts,
 * and the taps are gone when it is. Stand-ins need none of it.
 */
import { rm } from "node:fs/promises";
import { isSameHardware, sameValue } from "../../../model/fields.ts";
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { Nic, VmSpec } from "../../../model/vm-spec.ts";
import type { Hypervisor, LaunchInput } from "../../hypervisor/hypervisor.ts";
import { seedImageFile } from "../../launch-command.ts";
import { writeSeedImage } from "../../storage/seed-image.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Guest } from "../parts/guest.ts";
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

/** Taps that somebody took off their bridges: to have them back is part of what the spec asks for. */
export async function replugTaps(parts: Parts, vm: VmRecord, booted: VmSpec, signal: AbortSignal): Promise<void> {
  if (!isReal(parts, booted)) return;
  const same = booted.nics.filter((nic) => vm.spec.nics.some((other) => isSameHardware(nic, other)));
  await parts.network.replugTaps(vm.name, same, signal);
}

/** Rules and networks around NICs that the guest has, where `vm.spec` says something else of them than it did. */
export async function updateNetworks(parts: Parts, vm: VmRecord, booted: VmSpec, signal: AbortSignal): Promise<void> {
  if (!isReal(parts, booted)) return;
  const nics = vm.spec.nics.filter((nic) => booted.nics.some((other) => isSameHardware(other, nic)));
  if (nics.some(({ made, rules }) => made !== undefined || rules !== undefined))
    await parts.network.update?.(vm.name, nics, signal);
}

/** What the hypervisor cannot see: a NIC whose tap was taken away, or is on another bridge. */
export async function withTaps(parts: Parts, { hypervisor, input }: Guest, live: LiveConfig): Promise<LiveConfig> {
  if (hypervisor.disks !== "real") return live;
  const nics = await Promise.all(
    live.nics.map(async (nic): Promise<Nic> => {
      if (nic.attachment.kind !== "bridge") return nic;
      const bridge = await parts.network.bridgeOf(input.name, nic);
      if (bridge === nic.attachment.bridge) return nic;
      return { ...nic, attachment: bridge === null ? { kind: "none" } : { kind: "bridge", bridge } };
    }),
  );
  return { ...live, nics };
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
