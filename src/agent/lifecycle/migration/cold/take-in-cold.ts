/**
 * The steps of an arrival of a VM that is off, each in the VM's queue: the counterpart of `take-in.ts`, without a process.
 *
 * Invariants: the record says `arriving`, with the disks that come, before the first of their bytes is written. It is the VM's only when it
 * says `taken`.
 */
import { realpath } from "node:fs/promises";
import { OdoroboError } from "../../../../model/errors.ts";
import { type Digest, digest } from "../../../../model/names.ts";
import type { DiskOrigin } from "../../../../model/vm-spec.ts";
import type { TravellingDisk, TravellingVm } from "../../../../wire/move-line.ts";
import type { ImageNotes } from "../../../storage/disk-storage.ts";
import { backingOf, noteChain } from "../../../storage/image-note.ts";
import { setBacking } from "../../../storage/qemu-img.ts";
import type { Arrival, VmRecord } from "../../../store/vm-record.ts";
import { noteEvent } from "../../guest/note-event.ts";
import { runAfterHooks, runBeforeHooks } from "../../operations/hook-points.ts";
import { save } from "../../operations/run-operation.ts";
import type { Parts } from "../../parts/parts.ts";
import type { Slot } from "../../parts/slot.ts";
import { arrivingRecord } from "../take-in.ts";
import { sameBelow } from "../travelling-disks.ts";
import { coldDisks } from "./disk-files.ts";
import { ReceivedDisks } from "./receive-disks.ts";

/** Also of one that was arriving already, before a break. Rejects with STALE_GENERATION or HOOK_FAILED. */
export async function prepareCold(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  travelling: TravellingVm,
): Promise<{ readonly received: ReceivedDisks; readonly flat: readonly string[] }> {
  const { cold, files, disks } = travelling;
  if (cold === undefined) throw new OdoroboError("BAD_REQUEST", "it is not said how it ended");
  const isFirst = (vm.move as Arrival).stage === "expected";
  const arriving = arrivingRecord(parts, vm, travelling);
  const { notes: images, flat } = await imagesBelow(parts, vm, cold.origins, disks);
  const texts = new Map(Object.entries(files).map(([key, text]) => [digest(key), text]));
  await parts.store.saveTexts(vm.name, texts as ReadonlyMap<Digest, string>);
  if (isFirst) await runBeforeHooks(parts, arriving, "migrate-receive", null);
  const { phase, endedBy, since } = cold;
  const begun: VmRecord = {
    ...arriving,
    ...{ phase, endedBy, since },
    move: { ...(arriving.move as Arrival), mode: "cold" },
    ownDisks: cold.origins,
    ...(Object.keys(images).length === 0 ? {} : { images }),
  };
  await save(parts, slot, begun);
  return { received: new ReceivedDisks(coldDisks(parts, begun, cold.origins)), flat };
}

/**
 * What overlays stand on here: the same bytes, at the image's path or where they are on the other node. An overlay over other bytes is two systems in
 * one, so those of which there are none here come as one file.
 */
async function imagesBelow(
  parts: Parts,
  vm: VmRecord,
  origins: Readonly<Record<string, DiskOrigin>>,
  disks: readonly TravellingDisk[],
): Promise<{ readonly notes: ImageNotes; readonly flat: readonly string[] }> {
  const notes: Record<string, ImageNotes[string]> = {};
  const flat: string[] = [];
  for (const disk of disks) {
    const { name, below } = disk;
    const origin = origins[name];
    if (origin?.kind !== "image" || below.length === 0) continue;
    const fetched = origin.remote === undefined ? null : await parts.imageCache.find(origin.remote);
    const here = fetched?.path ?? origin.path;
    const found = await findSame(disk, [here, ...(below[0]?.path === undefined ? [] : [below[0].path])]);
    if (found !== null) notes[name] = found;
    else flat.push(name);
  }
  if (flat.length > 0)
    parts.logger.info({ vm: vm.name, disks: flat }, "the images of these disks are other ones here: they come whole");
  return { notes, flat };
}

/** Null: nowhere. */
async function findSame(disk: TravellingDisk, paths: readonly string[]): Promise<ImageNotes[string] | null> {
  for (const path of paths) {
    const notes = await realpath(path)
      .then(noteChain)
      .catch(() => null);
    if (notes !== null && sameBelow([disk], { [disk.name]: notes }).length > 0) return notes;
  }
  return null;
}

/** Of one that is here and was compared: its overlays name their images by where they are on this node. */
export async function standOnImagesHere(parts: Parts, vm: VmRecord): Promise<void> {
  for (const { name, path, origin } of coldDisks(parts, vm, vm.ownDisks)) {
    const here = vm.images?.[name]?.[0];
    if (origin.kind !== "image" || here === undefined || (await backingOf(path)) === here.path) continue;
    await setBacking({ path, backing: here.path, format: origin.format }, parts.stopping);
  }
}

/** It is this node's from now on, and off. */
export async function takeCold(parts: Parts, slot: Slot, vm: VmRecord): Promise<void> {
  const move = vm.move as Arrival;
  const { from } = move;
  await save(
    parts,
    slot,
    { ...vm, reason: `it came from ${from}, switched off`, migration: null, move: { ...move, stage: "taken" } },
    { fromReserve: true },
  );
  await parts.verdicts.note(move.ticket, "taken").catch((error: unknown) => {
    parts.logger.error({ err: error, vm: vm.name }, "could not note that a VM was taken in; its record says it");
  });
  await noteEvent(
    parts,
    slot,
    slot.stored as VmRecord,
    {},
    { kind: "phase", message: `${vm.name} has arrived from ${from}` },
  );
  void slot.enqueue(() => runAfterHooks(parts, slot, "migrate-receive", null)).catch(() => {});
}
