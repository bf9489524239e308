/** Looks at a file or block device that is, or should be, a disk: how large it is, and what its first bytes say. No tool is needed. */
import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { OdoroboError } from "../../model/errors.ts";
import type { ImageFormat } from "../../model/vm-spec.ts";
import { HEADER_BYTES, type Qcow2Header, readQcow2Header } from "./qcow2-header.ts";

export interface ImageFile {
  readonly kind: "file" | "device";
  /** Of the file, or of the whole device. */
  readonly bytes: number;
  /** Null: it does not begin as a qcow2 image does. */
  readonly qcow2: Qcow2Header | null;
}

/** Rejects as the file system does, and with STORAGE_FAILED for what is neither a file nor a block device. */
export async function lookAtImage(path: string): Promise<ImageFile> {
  const file = await openToLook(path);
  try {
    const start = Buffer.alloc(HEADER_BYTES);
    const extent = await extentOf(file, path);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    return { ...extent, qcow2: readQcow2Header(start.subarray(0, bytesRead)) };
  } finally {
    await file.close();
  }
}

/** How large a disk is for its guest. */
export async function virtualSizeBytes(path: string, format: ImageFormat): Promise<number> {
  const { bytes, qcow2 } = await lookAtImage(path);
  if (format === "raw") return bytes;
  if (qcow2 === null)
    throw new OdoroboError("STORAGE_FAILED", `${path} is not a qcow2 image`, {
      hint: "is its format raw? say so in the manifest of the Image",
    });
  return qcow2.virtualBytes;
}

/** Never waits, as opening a pipe would. */
export const openToLook = (path: string): Promise<FileHandle> => open(path, constants.O_RDONLY | constants.O_NONBLOCK);

export interface Extent {
  readonly kind: ImageFile["kind"];
  readonly bytes: number;
}

export async function extentOf(file: FileHandle, path: string): Promise<Extent> {
  const stats = await file.stat({ bigint: true });
  if (stats.isFile()) return { kind: "file", bytes: Number(stats.size) };
  if (stats.isBlockDevice()) return { kind: "device", bytes: await deviceBytes(stats.rdev, path) };
  throw new OdoroboError("STORAGE_FAILED", `${path} is neither a file nor a block device`, {
    hint: "name what holds the disk",
  });
}

/** The kernel counts in sectors of 512 bytes, whatever the device's own are. */
const SECTOR_BYTES = 512;

/** `stat` says 0 of every block device. */
async function deviceBytes(device: bigint, path: string): Promise<number> {
  const file = `/sys/dev/block/${deviceNumber(device)}/size`;
  const sectors = Number(await readFile(file, "utf8").catch(() => "no number"));
  if (Number.isSafeInteger(sectors)) return sectors * SECTOR_BYTES;
  throw new OdoroboError("STORAGE_FAILED", `how large the block device ${path} is cannot be seen: ${file}`, {
    hint: "is /sys mounted where the agent runs?",
  });
}

/** `259:3`: <linux/kdev_t.h>, as glibc's gnu_dev_major and gnu_dev_minor take it apart. */
export function deviceNumber(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}
