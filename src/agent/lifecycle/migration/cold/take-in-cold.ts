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

/** Also of one that was arriving already, before a break. Rejects with STALE_GENERATION, IMAGE_MISSING, IMAGE_CHANGED or HOOK_FAILED. */
export async function prepareCold(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  travelling: TravellingVm,
): Promise<ReceivedDisks> {
  const { cold, files, disks } = travelling;
  if (cold === undefined) throw new OdoroboError("BAD_REQUEST", "it is not said how it ended");
  const isFirst = (vm.move as Arrival).stage === "expected";
  const arriving = arrivingRecord(parts, vm, travelling);
  const images = await imagesBelow(parts, vm, cold.origins, disks);
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
  return new ReceivedDisks(coldDisks(parts, begun, cold.origins));
}

/** What overlays stand on here. An overlay over other bytes is two systems in one. */
async function imagesBelow(
  parts: Parts,
  vm: VmRecord,
  origins: Readonly<Record<string, DiskOrigin>>,
  disks: readonly TravellingDisk[],
): Promise<ImageNotes> {
  const notes: Record<string, ImageNotes[string]> = {};
  for (const { name, below } of disks) {
    const origin = origins[name];
    if (origin?.kind !== "image" || below.length === 0) continue;
    try {
      notes[name] = await noteChain(await realpath(origin.path));
    } catch (error) {
      throw new OdoroboError(
        "IMAGE_MISSING",
        `the image ${origin.image} below disk ${name} of ${vm.name} is not on ${parts.node.name}`,
        {
          cause: error,
          hint: `put it at ${origin.path} there first`,
        },
      );
    }
  }
  const same = new Set(sameBelow(disks, notes));
  const other = Object.keys(notes).find((name) => !same.has(name));
  if (other === undefined) return notes;
  throw new OdoroboError(
    "IMAGE_CHANGED",
    `disk ${other} of ${vm.name} was made over other bytes than ${notes[other]?.[0]?.file} on ${parts.node.name} has`,
    { hint: "put the image there that its node has; or move it while it runs: then all of the disk is sent" },
  );
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
