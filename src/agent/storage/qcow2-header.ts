/**
 * What the first bytes of a file say it is, and what a qcow2 header says of other files (qemu docs/interop/qcow2.txt). Pure.
 *
 * Whoever opens a qcow2 image opens what its header names, too: a backing file, an external data file. So whoever may put an
 * image somewhere may have the hypervisor read, or write, any file that its user can.
 */

/** "QFI\xfb". */
const MAGIC = 0x514649fb;
/** Version 2 ends here; version 3 goes on. */
const V2_BYTES = 72;
/** `header_length` included. */
const V3_BYTES = 104;
/** Bit 2 of `incompatible_features`: the clusters are in another file. */
const EXTERNAL_DATA_FILE = 0x4n;
const BACKING_FORMAT = 0xe2792aca;
const DATA_FILE_NAME = 0x44415441;
/** The longest name that the format allows. */
const LONGEST_NAME = 1023;

/** As much of a file as `readQcow2Header` needs: all that it looks at lies in the first cluster, in practice in its first kilobytes. */
export const HEADER_BYTES = 64 * 1024;

export interface Qcow2Header {
  readonly version: number;
  /** How large the disk is for its guest. */
  readonly virtualBytes: number;
  /** What it reads where it holds nothing itself; `""` when there is one whose name cannot be read; null: none. */
  readonly backingFile: string | null;
  /** As the header says; null: it does not. */
  readonly backingFormat: string | null;
  /** Where its clusters are instead of in itself; `""` when the header does not name it; null: in itself. */
  readonly dataFile: string | null;
  readonly isEncrypted: boolean;
  readonly snapshots: number;
}

/** Null: these are not the first bytes of a qcow2 image. A header that is cut short names what can be read of it. */
export function readQcow2Header(start: Uint8Array): Qcow2Header | null {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  if (bytes.length < V2_BYTES || bytes.readUInt32BE(0) !== MAGIC) return null;
  const version = bytes.readUInt32BE(4);
  const isV3 = version >= 3 && bytes.length >= V3_BYTES;
  const extensions = readExtensions(bytes, isV3 ? bytes.readUInt32BE(100) : V2_BYTES);
  const hasDataFile = isV3 && (bytes.readBigUInt64BE(72) & EXTERNAL_DATA_FILE) !== 0n;
  const dataFile = extensions.get(DATA_FILE_NAME);
  return {
    version,
    virtualBytes: Number(bytes.readBigUInt64BE(24)),
    backingFile: readBackingFile(bytes),
    backingFormat: extensions.get(BACKING_FORMAT) ?? null,
    // One that is named without the bit is not followed, and stands in no image that was made in good faith.
    dataFile: hasDataFile || dataFile !== undefined ? (dataFile ?? "") : null,
    isEncrypted: bytes.readUInt32BE(32) !== 0,
    snapshots: bytes.readUInt32BE(60),
  };
}

function readBackingFile(bytes: Buffer): string | null {
  const offset = bytes.readBigUInt64BE(8);
  const length = bytes.readUInt32BE(16);
  if (offset === 0n) return null;
  const end = offset + BigInt(length);
  if (length === 0 || length > LONGEST_NAME || end > BigInt(bytes.length)) return "";
  return bytes.toString("utf8", Number(offset), Number(end));
}

/** By type; the first of each counts. */
function readExtensions(bytes: Buffer, from: number): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (let at = from; at + 8 <= bytes.length; ) {
    const type = bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    if (type === 0 || at + 8 + length > bytes.length) break;
    if (!found.has(type)) found.set(type, bytes.toString("utf8", at + 8, at + 8 + length));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}
