/** Brings the disk folder to what a VM's spec says: sets aside what is another disk of the same name, makes and grows the rest. */
import { basename } from "node:path";
import type { DiskOrigin } from "../../../model/vm-spec.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { ownDiskFile } from "../../launch-command.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { isSameDisk, ownDisksOf } from "../operations/check-spec.ts";
import type { Parts } from "../parts/parts.ts";

/**
 * Returns what the record must say of the disk folder afterwards. Doing it again before that is written is harmless:
 * what would be set aside a second time is a disk that no guest has seen.
 */
export async function prepareDisks(
  parts: Parts,
  hypervisor: Hypervisor,
  vm: VmRecord,
  options: { readonly grow: boolean; readonly signal: AbortSignal },
): Promise<Pick<VmRecord, "ownDisks" | "images">> {
  const paths = parts.store.paths(vm.name);
  const notes = { ...vm.images };
  for (const disk of vm.spec.disks) {
    const made = vm.ownDisks[disk.name];
    if (made === undefined || isSameDisk(made, disk.origin)) continue;
    await parts.storage.setAside(paths, { ...disk, origin: made });
    delete notes[disk.name];
  }
  const found = await parts.storage.ensure(paths, vm.spec.disks, { kind: hypervisor.disks, notes, ...options });
  const images = { ...notes, ...found };
  const ownDisks = { ...vm.ownDisks, ...ownDisksOf(vm.spec.disks) };
  return { ownDisks, ...(Object.keys(images).length === 0 ? {} : { images }) };
}

/**
 * What the record must say of the disk folder when preparing it failed or was cut short: what was made until then was made as its
 * spec says, and has to be known before another spec is taken in.
 */
export async function disksMade(parts: Parts, vm: VmRecord): Promise<Readonly<Record<string, DiskOrigin>>> {
  const noted = new Set(Object.keys(vm.ownDisks));
  const others = vm.spec.disks.filter((disk) => disk.origin.kind !== "external" && !noted.has(disk.name));
  if (others.length === 0) return vm.ownDisks;
  const paths = parts.store.paths(vm.name);
  const files = new Set(await parts.storage.list(paths));
  const made = others.filter((disk) => {
    const file = basename(ownDiskFile(paths, disk) ?? "");
    return files.has(file) || files.has(`${file}.placeholder`);
  });
  return { ...vm.ownDisks, ...ownDisksOf(made) };
}
