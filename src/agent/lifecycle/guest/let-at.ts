/** Lets the process of a running guest at what it is about to need: its supervisor may hold it to what it was started for. */
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { runningInput } from "./guest-input.ts";

/** What `wanted` needs beyond what the guest was booted with: another share of the node, disks, devices. */
export async function letAtSpec(parts: Parts, slot: Slot, vm: VmRecord, wanted: VmSpec): Promise<void> {
  const process = slot.guest?.process;
  if (!process || parts.supervisor.adjust === undefined) return;
  const now = await commandOf(parts, slot, vm);
  const next = slot.guest?.hypervisor.compile(await runningInput(parts, vm.name, wanted)) ?? null;
  if (now !== null && next !== null) await parts.supervisor.adjust(process, now, next);
}

/** A folder that the process is asked to write to: a snapshot's. */
export async function letAtFolder(parts: Parts, slot: Slot, vm: VmRecord, folder: string): Promise<void> {
  const process = slot.guest?.process;
  if (!process || parts.supervisor.adjust === undefined) return;
  const now = await commandOf(parts, slot, vm);
  if (now === null) return;
  const needs = { ...now.needs, writes: [...now.needs.writes, folder] };
  await parts.supervisor.adjust(process, now, { ...now, needs });
}

async function commandOf(parts: Parts, { guest }: Slot, vm: VmRecord): Promise<LaunchCommand | null> {
  if (guest === null || vm.guest === null) return null;
  return guest.hypervisor.compile(await runningInput(parts, vm.name, vm.guest.bootedSpec));
}
