/** Which files of a VM that is off go to another node, and what lies below them. */
import { rename, rm, stat } from "node:fs/promises";
import { isErrno, OdoroboError } from "../../../../model/errors.ts";
import type { Disk, DiskOrigin } from "../../../../model/vm-spec.ts";
import type { TravellingDisk } from "../../../../wire/move-line.ts";
import { ownDiskFile } from "../../../launch-command.ts";
import { backingOf, type ImageNote, noteChain } from "../../../storage/image-note.ts";
import { flatten } from "../../../storage/qemu-img.ts";
import type { VmRecord } from "../../../store/vm-record.ts";
import { checkImages } from "../../guest/images-below.ts";
import type { Parts } from "../../parts/parts.ts";

export interface ColdDisk {
  readonly name: string;
  readonly path: string;
  /** What its file was made as, which another spec may not have asked for since. */
  readonly origin: DiskOrigin;
}

/** Those of `origins`: where each lies on this node. Stand-ins of hypervisors that read no disk are files, too. */
export function coldDisks(
  parts: Parts,
  { name, spec }: Pick<VmRecord, "name" | "spec">,
  origins: Readonly<Record<string, DiskOrigin>>,
): readonly ColdDisk[] {
  const isReal = parts.hypervisors.get(spec.hypervisor)?.disks === "real";
  return Object.entries(origins).flatMap(([disk, origin]) => {
    const file = ownDiskFile(parts.store.paths(name), { name: disk, origin, readonly: false } satisfies Disk);
    return file === null ? [] : [{ name: disk, path: isReal ? file : `${file}.placeholder`, origin }];
  });
}

/**
 * The disks that its spec has, and that were made. What the spec no longer has stays where it is. Rejects with STORAGE_FAILED when one that
 * a guest has written to is gone.
 */
export async function disksToSend(parts: Parts, vm: VmRecord): Promise<readonly ColdDisk[]> {
  const wanted = new Set(vm.spec.disks.map(({ name }) => name));
  const made = Object.fromEntries(Object.entries(vm.ownDisks).filter(([name]) => wanted.has(name)));
  const isReal = parts.hypervisors.get(vm.spec.hypervisor)?.disks === "real";
  const there: ColdDisk[] = [];
  for (const disk of coldDisks(parts, vm, made)) {
    const isThere = await stat(disk.path).then(
      () => true,
      (error: unknown) => {
        if (isErrno(error, "ENOENT")) return false;
        throw error;
      },
    );
    if (isThere) there.push(disk);
    // A lost stand-in costs nothing: it is made again at the next boot.
    else if (isReal)
      throw new OdoroboError("STORAGE_FAILED", `disk ${disk.name} of ${vm.name} is gone: there is no ${disk.path}`, {
        hint: "put the file back; or give the disk another name in the manifest, and it is made anew",
      });
  }
  return there;
}

/** With what each stands on, for the other node to look for. */
export async function describeDisks(vm: VmRecord, disks: readonly ColdDisk[]): Promise<readonly TravellingDisk[]> {
  return await Promise.all(
    disks.map(async ({ name, path, origin }) => {
      const notes =
        origin.kind === "image" && !path.endsWith(".placeholder")
          ? (vm.images?.[name] ?? (await notesBelow(path)))
          : [];
      const below = notes.map(({ bytes, samples, path: at }) => ({ bytes, samples, path: at }));
      return { name, bytes: (await stat(path)).size, below };
    }),
  );
}

const flatFile = (path: string): string => `${path}.flat`;

/**
 * The disk as one file that stands alone, beside its own, which stays as it is; made once, also for who goes on after a break. Rejects with
 * IMAGE_CHANGED where what it stands on is not what it was made over.
 */
export async function flattened(parts: Parts, vm: VmRecord, disk: ColdDisk, signal: AbortSignal): Promise<ColdDisk> {
  const flat = flatFile(disk.path);
  const [made, from] = await Promise.all([modifiedMs(flat), modifiedMs(disk.path)]);
  if (made === null || from === null || made < from) {
    await checkImages(parts, vm);
    await flatten(disk.path, `${flat}.tmp`, signal);
    await rename(`${flat}.tmp`, flat);
  }
  return { ...disk, path: flat };
}

export async function removeFlattened(disks: readonly ColdDisk[]): Promise<void> {
  for (const { path } of disks)
    for (const file of [flatFile(path), `${flatFile(path)}.tmp`]) await rm(file, { force: true });
}

const modifiedMs = (path: string): Promise<number | null> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );

/** Of an overlay that an earlier agent made, which noted nothing. */
async function notesBelow(path: string): Promise<readonly ImageNote[]> {
  const backing = await backingOf(path);
  return backing === null ? [] : await noteChain(backing);
}
