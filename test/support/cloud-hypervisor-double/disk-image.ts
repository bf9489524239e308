/** What the double needs of a disk image: its format, and a new size. */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { ioText, Refusal } from "./refusal.ts";
import type { Release } from "./release.ts";

export type ImageFormat = "Raw" | "Qcow2" | "FixedVhd" | "Vhdx" | "FlatVmdk";

export interface DiskImage {
  readonly fd: number;
  readonly format: ImageFormat;
  /** Of the file, for locks. */
  readonly identity: string;
  readonly hasBackingFile: boolean;
  close(): void;
  resize(bytes: number, release: Release): void;
}

const SECTOR = 512;
const QCOW2_MAGIC = 0x514649fb;
const HEADER = 512;

/** Opens it as the VM would; `told`: the image_type of the config, Unknown to look. */
export function openImage(path: string, readonly: boolean, told: string): DiskImage {
  let fd: number;
  try {
    fd = openSync(path, readonly ? "r" : "r+");
  } catch (error) {
    throw new Refusal("other", "Cannot open disk path", `I/O error (path=${path} op=open)`, ioText(error));
  }
  const header = Buffer.alloc(HEADER);
  readSync(fd, header, 0, HEADER, 0);
  const seen = formatOf(header);
  const format = told === "Unknown" ? seen : (told as ImageFormat);
  if (format === "Qcow2" && seen !== "Qcow2") {
    closeSync(fd);
    throw new Refusal("other", "Cannot create virtio-blk device", "Failure in qcow", "Invalid magic");
  }
  const { dev, ino } = fstatSync(fd);
  return {
    fd,
    format,
    identity: `${dev}:${ino}`,
    hasBackingFile: format === "Qcow2" && header.readBigUInt64BE(8) !== 0n,
    close: () => closeSync(fd),
    resize: (bytes, release) => resize(fd, format, header, bytes, release),
  };
}

function formatOf(header: Buffer): ImageFormat {
  if (header.readUInt32BE(0) === QCOW2_MAGIC) return "Qcow2";
  if (header.toString("latin1", 0, 8) === "vhdxfile") return "Vhdx";
  return "Raw";
}

const failed = (...why: readonly string[]): Refusal => new Refusal("other", "Disk resize error", ...why);

/** A raw file is cut as readily as it is grown: the real one refuses neither. */
function resize(fd: number, format: ImageFormat, header: Buffer, bytes: number, release: Release): void {
  if (bytes % SECTOR !== 0) throw failed(`Disk image size is not a multiple of ${SECTOR}`);
  const stats = fstatSync(fd);
  if (format === "Raw") {
    if (stats.isBlockDevice()) return;
    try {
      ftruncateSync(fd, bytes);
    } catch (error) {
      throw failed("Disk resize failed", ioText(error));
    }
    return;
  }
  if (format !== "Qcow2" || !release.resizesQcow2)
    throw failed("Disk resize failed", "Resize is not supported for this image type");
  growQcow2(fd, header, bytes);
}

/** Offsets of the qcow2 header: size at 24, cluster bits at 20, entries of the L1 table at 36, each of which covers one L2 table. */
function growQcow2(fd: number, header: Buffer, bytes: number): void {
  if (header.readBigUInt64BE(8) !== 0n)
    throw failed("Disk resize failed", "Resizing an image with a backing file is not supported");
  const size = Number(header.readBigUInt64BE(24));
  if (bytes < size) throw failed("Disk resize failed", "Shrinking a QCOW2 image is not supported");
  const cluster = 2 ** header.readUInt32BE(20);
  const entries = Math.ceil(bytes / (cluster * (cluster / 8)));
  if (entries > cluster / 8) throw failed("Disk resize failed", "L1 table too large");
  header.writeBigUInt64BE(BigInt(bytes), 24);
  header.writeUInt32BE(Math.max(entries, header.readUInt32BE(36)), 36);
  writeSync(fd, header, 0, 40, 0);
}
