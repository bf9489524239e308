/** Whether a VM's own disks still stand on what they were made over: asked before each boot, and told in each report. */
import { realpath } from "node:fs/promises";
import type { ImageBelow } from "../../../model/observed-state.ts";
import type { Disk } from "../../../model/vm-spec.ts";
import { changeError, type ImageChange } from "../../storage/image-watch.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { isSameDisk } from "../operations/check-spec.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** Rejects with IMAGE_CHANGED or IMAGE_MISSING. Of disks that nobody has looked below yet nothing is said. */
export async function checkImages(parts: Parts, vm: VmRecord): Promise<void> {
  for (const disk of notedDisks(vm)) {
    const change = await changeBelow(parts, vm, disk, {});
    if (change !== null) throw changeError(disk.name, change);
  }
}

/** For the report: what cannot be seen now stays as it was seen last. */
export async function lookAtImages(parts: Parts, slot: Slot): Promise<void> {
  const vm = slot.stored;
  if (vm?.state !== "present" || vm.images === undefined) {
    slot.images = [];
    return;
  }
  const isOff = slot.guest === null;
  try {
    slot.images = await Promise.all(
      notedDisks(vm).map((disk) =>
        parts.looks.look(`images ${vm.name} ${disk.name}`, () => look(parts, vm, disk, isOff)),
      ),
    );
  } catch (error) {
    parts.logger.warn({ err: error, vm: vm.name }, "could not look at the images below a VM's disks");
  }
}

async function look(parts: Parts, vm: VmRecord, disk: Disk, isOff: boolean): Promise<ImageBelow> {
  const change = await changeBelow(parts, vm, disk, { quick: !isOff });
  const file = vm.images?.[disk.name]?.[0]?.file ?? "";
  const seen = { disk: disk.name, file };
  if (change !== null) {
    const { code, message, hint = "" } = changeError(disk.name, change);
    return { ...seen, problem: { code: code as "IMAGE_CHANGED" | "IMAGE_MISSING", message, hint } };
  }
  // Of interest to who is about to boot it, and expects the new image.
  const pathNow = isOff ? await imageNow(parts, disk).catch(() => file) : file;
  return pathNow === file ? seen : { ...seen, pathNow };
}

/** What a new disk like it would be made over. Rejects when that is not here. */
async function imageNow({ imageCache }: Parts, { origin }: Disk): Promise<string> {
  if (origin.kind !== "image") throw new Error("it stands on no image");
  if (origin.remote === undefined) return await realpath(origin.path);
  const fetched = await imageCache.find(origin.remote);
  if (fetched === null) throw new Error("it is not fetched");
  return await realpath(fetched.path);
}

/** Those whose file is there, and was looked below. */
export const notedDisks = ({ spec, ownDisks, images = {} }: VmRecord): readonly Disk[] =>
  spec.disks.filter(({ name, origin }) => {
    const made = ownDisks[name];
    return images[name] !== undefined && made !== undefined && isSameDisk(made, origin);
  });

/** Null as well when somebody has rebased the disk: what it stands on since then is noted at its next boot. */
async function changeBelow(
  parts: Parts,
  vm: VmRecord,
  disk: Disk,
  options: { readonly quick?: boolean },
): Promise<ImageChange | null> {
  const notes = vm.images?.[disk.name] ?? [];
  const change = await parts.images.findChange(notes, options);
  if (change === null) return null;
  const [below] = await parts.storage.standsOn(parts.store.paths(vm.name), disk).catch(() => []);
  return below === undefined || below === notes[0]?.path ? change : null;
}
