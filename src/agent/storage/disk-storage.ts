/**
 * Makes and grows the disks of the agent's own (`ownDiskFile` says where they lie); external ones are never touched.
 *
 * Invariants: bytes that exist are never overwritten and never shrunk. A disk appears whole or not at all (made under
 * another name, then renamed). Doing it again is harmless.
 */
import { mkdir, open, readdir, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { byName } from "../../model/names.ts";
import type { Disk } from "../../model/vm-spec.ts";
import { syncFolder } from "../../platform/atomic-write.ts";
import { ownDiskFile, type VmPaths } from "../launch-command.ts";
import { virtualSizeBytes } from "./image-size.ts";
import { createOverlay, growImage } from "./qemu-img.ts";

export interface DiskStorage {
  /**
   * Makes the disks that are not there yet. `grow`: brings those that are there up to the size of the spec; the guest must be off.
   * One that is larger stays so: who grew it by hand sees that as drift, and a guest that fell over starts again.
   * Rejects with IMAGE_MISSING, UNSUPPORTED (its image is larger than the disk) or STORAGE_FAILED.
   */
  ensure(paths: VmPaths, disks: readonly Disk[], options: EnsureOptions): Promise<void>;
  /** Renames the disk's file out of the way, so that a new disk of that name can be made; its bytes stay until the purge. */
  setAside(paths: VmPaths, disk: Disk): Promise<void>;
  /** Names of the files in the disk folder, sorted. */
  list(paths: VmPaths): Promise<readonly string[]>;
}

export interface EnsureOptions {
  /** `placeholder`: small stand-ins for hypervisors that read no disk. */
  readonly kind: "real" | "placeholder";
  readonly grow: boolean;
  readonly signal: AbortSignal;
}

const MIB = 1024 * 1024;

export const diskStorage: DiskStorage = {
  async ensure(paths, disks, options) {
    const own = disks.flatMap((disk) => {
      const path = ownDiskFile(paths, disk);
      return path === null ? [] : [{ disk, path }];
    });
    if (own.length === 0) return;
    try {
      await mkdir(paths.diskFolder, { recursive: true, mode: 0o700 });
      for (const { disk, path } of own) {
        options.signal.throwIfAborted();
        if (options.kind === "placeholder") await ensurePlaceholder(`${path}.placeholder`, disk);
        else await ensureReal(path, disk, options);
      }
      // A lost placeholder costs nothing: it is made again at the next boot.
      if (options.kind === "real") {
        await syncFolder(paths.diskFolder);
        await syncFolder(dirname(paths.diskFolder));
      }
    } catch (error) {
      throw asStorageError(error, `could not prepare the disks in ${paths.diskFolder}`);
    }
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

  async list(paths) {
    const files = await readdir(paths.diskFolder).catch(() => []);
    return files.filter((file) => !file.endsWith(".tmp")).sort(byName);
  },
};

async function ensureReal(path: string, disk: Disk, options: EnsureOptions): Promise<void> {
  const { origin } = disk;
  if (origin.kind === "external") return;
  const wanted = origin.sizeMiB * MIB;
  if (await sizeOf(path)) {
    if (!options.grow) return;
    const actual = await virtualSizeBytes(path, origin.kind === "image" ? "qcow2" : "raw");
    if (actual < wanted) await (origin.kind === "image" ? growImage(path, wanted, options.signal) : grow(path, wanted));
    return;
  }
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  try {
    if (origin.kind === "blank") {
      await (await open(temporary, "wx", 0o600)).close();
      await grow(temporary, wanted);
    } else {
      const imageSize = await virtualSizeBytes(origin.path, origin.format).catch((error: unknown) => {
        throw imageMissing(disk.name, origin.image, origin.path, error);
      });
      if (imageSize > wanted) throw wouldShrink(disk, imageSize, `the image ${origin.image}`);
      await createOverlay(
        { path: temporary, backing: origin.path, format: origin.format, bytes: wanted },
        options.signal,
      );
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
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

const wouldShrink = (disk: Disk, bytes: number, what: string): OdoroboError =>
  new OdoroboError(
    "UNSUPPORTED",
    `disk ${disk.name} would have to shrink: ${what} has ${Math.ceil(bytes / MIB)} MiB, the spec less`,
    { hint: "disks never shrink: give it at least that size, or make a new disk under another name" },
  );

function asStorageError(error: unknown, message: string): unknown {
  if (error instanceof OdoroboError || (error instanceof Error && error.name === "AbortError")) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
  return new OdoroboError("STORAGE_FAILED", `${message} (${code})`, {
    cause: error,
    hint:
      code === "ENOSPC" ? "the disk is full: make room on the node, then try again" : "look at the folder on the node",
  });
}
