/**
 * Makes and grows the disks of the agent's own (`ownDiskFile` says where they lie); external ones are never touched.
 *
 * Invariants: bytes that exist are never overwritten and never shrunk. A disk appears whole or not at all (made under
 * another name, then renamed). Doing it again is harmless.
 */
import { open, readdir, realpath, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { byName } from "../../model/names.ts";
import type { RemoteImage } from "../../model/remote-image.ts";
import type { Disk } from "../../model/vm-spec.ts";
import { syncFolder } from "../../platform/atomic-write.ts";
import { makeFolders } from "../../platform/make-folders.ts";
import { ownDiskFile, type VmPaths } from "../launch-command.ts";
import { storageError } from "../storage-error.ts";
import { checkImage } from "./check-format.ts";
import { virtualSizeBytes } from "./image-file.ts";
import { backingOf, chainBelow, type ImageNote, noteChain } from "./image-note.ts";
import { createOverlay, growImage } from "./qemu-img.ts";
import { roomFor } from "./room.ts";

/** By the name of the overlay's disk: what it stands on, nearest first. */
export type ImageNotes = Readonly<Record<string, readonly ImageNote[]>>;

export interface DiskStorage {
  /**
   * Makes the disks that are not there yet. `grow`: brings those that are there up to the size of the spec; the guest must be off.
   * One that is larger stays so: who grew it by hand sees that as drift, and a guest that fell over starts again.
   * Resolves with what overlays stand on for which there was no note in `options.notes`: new ones, and those of earlier agents.
   * Rejects with IMAGE_MISSING, UNSUPPORTED (its image is larger than the disk, or is not what it is said to be) or STORAGE_FAILED.
   */
  ensure(paths: VmPaths, disks: readonly Disk[], options: EnsureOptions): Promise<ImageNotes>;
  /** The files below the overlay of an image disk, nearest first, as its header names them; of one that is not made yet: what it would stand on. */
  standsOn(paths: VmPaths, disk: Disk): Promise<readonly string[]>;
  /** Renames the disk's file out of the way, so that a new disk of that name can be made; its bytes stay until the purge. */
  setAside(paths: VmPaths, disk: Disk): Promise<void>;
  /** Bytes that a disk may still grow by; null where only who keeps it knows. */
  roomFor(paths: VmPaths, disk: Disk): Promise<number | null>;
  /** Names of the files in the disk folder, sorted. */
  list(paths: VmPaths): Promise<readonly string[]>;
}

export interface EnsureOptions {
  /** `placeholder`: small stand-ins for hypervisors that read no disk. */
  readonly kind: "real" | "placeholder";
  readonly grow: boolean;
  /** What is known already; left out: nothing. */
  readonly notes?: ImageNotes;
  readonly signal: AbortSignal;
}

const MIB = 1024 * 1024;

/** Images that the agent fetches; each stays as it is while `use` makes a disk over it. */
export interface FetchedImages {
  /** Null: it is not here yet. */
  find(remote: RemoteImage): Promise<{ readonly path: string } | null>;
  hold<Result>(
    name: string,
    remote: RemoteImage,
    signal: AbortSignal,
    use: (image: { readonly path: string }) => Promise<Result>,
  ): Promise<Result>;
}

/** `images`: null where nothing is fetched. */
export const createDiskStorage = (images: FetchedImages | null): DiskStorage => ({
  async ensure(paths, disks, options) {
    const own = disks.flatMap((disk) => {
      const path = ownDiskFile(paths, disk);
      return path === null ? [] : [{ disk, path }];
    });
    if (own.length === 0) return {};
    const notes: Record<string, readonly ImageNote[]> = {};
    try {
      await makeFolders(paths.diskFolder);
      for (const { disk, path } of own) {
        options.signal.throwIfAborted();
        if (options.kind === "placeholder") await ensurePlaceholder(`${path}.placeholder`, disk);
        else {
          const made = await ensureReal(path, disk, options, images);
          const note = disk.origin.kind === "image" ? (made ?? (await noteOld(path, disk, options))) : null;
          if (note !== null) notes[disk.name] = note;
        }
      }
      // A lost placeholder costs nothing: it is made again at the next boot.
      if (options.kind === "real") {
        await syncFolder(paths.diskFolder);
        await syncFolder(dirname(paths.diskFolder));
      }
      return notes;
    } catch (error) {
      throw asStorageError(error, `could not prepare the disks in ${paths.diskFolder}`);
    }
  },

  async standsOn(paths, disk) {
    const path = ownDiskFile(paths, disk);
    if (disk.origin.kind !== "image" || path === null) return [];
    if (await sizeOf(path)) return await chainBelow(path);
    const { remote, path: image } = disk.origin;
    if (remote === undefined) return [await realpath(image)];
    const fetched = (await images?.find(remote)) ?? null;
    return fetched === null ? [] : [fetched.path];
  },

  async setAside(paths, disk) {
    const path = ownDiskFile(paths, disk);
    if (path === null) return;
    try {
      for (const file of [path, `${path}.placeholder`])
        if (await sizeOf(file)) await rename(file, await freeName(`${file}.kept`));
    } catch (error) {
      throw asStorageError(error, `could not set ${path} aside`);
    }
  },

  roomFor,

  async list(paths) {
    const files = await readdir(paths.diskFolder).catch(() => []);
    return files.filter((file) => !file.endsWith(".tmp")).sort(byName);
  },
});

/** That fetches nothing. */
export const diskStorage: DiskStorage = createDiskStorage(null);

/** What a new overlay stands on; null: nothing was made that stands on anything. */
async function ensureReal(
  path: string,
  disk: Disk,
  options: EnsureOptions,
  images: FetchedImages | null,
): Promise<readonly ImageNote[] | null> {
  const { origin } = disk;
  if (origin.kind === "external") return null;
  const wanted = origin.sizeMiB * MIB;
  if (await sizeOf(path)) {
    if (!options.grow) return null;
    const actual = await virtualSizeBytes(path, origin.kind === "image" ? "qcow2" : "raw");
    if (actual < wanted) await (origin.kind === "image" ? growImage(path, wanted, options.signal) : grow(path, wanted));
    return null;
  }
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  try {
    let notes: readonly ImageNote[] | null = null;
    if (origin.kind === "blank") {
      await (await open(temporary, "wx", 0o600)).close();
      await grow(temporary, wanted);
      await rename(temporary, path);
    } else
      await overImage(disk.name, origin, options.signal, images, async (image) => {
        notes = await makeOverlay(temporary, disk.name, { ...origin, path: image }, wanted, options.signal);
        await rename(temporary, path);
      });
    return notes;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

type OverImage = Extract<Disk["origin"], { readonly kind: "image" }>;

/** With the file of the image; one that is fetched is not pruned meanwhile. */
async function overImage(
  disk: string,
  { image, path, remote }: OverImage,
  signal: AbortSignal,
  images: FetchedImages | null,
  use: (path: string) => Promise<void>,
): Promise<void> {
  if (remote === undefined) return await use(path);
  if (images === null)
    throw new OdoroboError("UNSUPPORTED", `disk ${disk} needs the image ${image}, and images are not fetched here`);
  await images.hold(image, remote, signal, (fetched) => use(fetched.path));
}

/** Over the file that the image's path leads to now: who points a link at the next image means the next disks. */
async function makeOverlay(
  path: string,
  disk: string,
  origin: OverImage,
  bytes: number,
  signal: AbortSignal,
): Promise<readonly ImageNote[]> {
  const { image, format } = origin;
  const backing = await realpath(origin.path).catch((error: unknown) => {
    throw imageMissing(disk, image, origin.path, error);
  });
  const imageBytes = await checkImage(image, backing, format).catch((error: unknown) => {
    throw error instanceof OdoroboError ? error : imageMissing(disk, image, origin.path, error);
  });
  if (imageBytes > bytes) throw wouldShrink(disk, imageBytes, `the image ${image}`);
  const notes = await noteChain(backing);
  await createOverlay({ path, backing, format, bytes }, signal);
  return notes;
}

/** Of an overlay that was made before such notes were, or rebased by hand: what it stands on from now on. What a running guest has open need not be there any more. */
async function noteOld(
  path: string,
  disk: Disk,
  { grow, notes = {} }: EnsureOptions,
): Promise<readonly ImageNote[] | null> {
  if (!grow) return null;
  const backing = await backingOf(path);
  return backing === null || backing === notes[disk.name]?.[0]?.path ? null : await noteChain(backing);
}

async function ensurePlaceholder(path: string, disk: Disk): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify({ placeholderFor: disk })}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  }
}

/** Sparse: no block is written, so that this takes no time and no tool. */
async function grow(path: string, bytes: number): Promise<void> {
  await truncate(path, bytes);
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Null when there is nothing of that name. */
async function sizeOf(path: string): Promise<{ readonly bytes: number } | null> {
  try {
    return { bytes: (await stat(path)).size };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    throw error;
  }
}

async function freeName(path: string): Promise<string> {
  const taken = new Set(await readdir(dirname(path)));
  for (let number = 1; ; number++) {
    const name = `${basename(path)}-${number}`;
    if (!taken.has(name)) return join(dirname(path), name);
  }
}

export const imageMissing = (disk: string, image: string, path: string, cause: unknown): OdoroboError =>
  new OdoroboError("IMAGE_MISSING", `disk ${disk} needs the image ${image}, and ${path} cannot be read on this node`, {
    cause,
    hint: `put the image at ${path} on this node, or correct the path in the manifest of Image ${image}`,
  });

const wouldShrink = (disk: string, bytes: number, what: string): OdoroboError =>
  new OdoroboError(
    "UNSUPPORTED",
    `disk ${disk} would have to shrink: ${what} has ${Math.ceil(bytes / MIB)} MiB, the spec less`,
    { hint: "disks never shrink: give it at least that size, or make a new disk under another name" },
  );

function asStorageError(error: unknown, message: string): unknown {
  if (error instanceof OdoroboError || (error instanceof Error && error.name === "AbortError")) return error;
  return storageError(message, error);
}
