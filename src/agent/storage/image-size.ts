/** How large a disk is for its guest, read from the file itself: no tool is needed to look. */
import { open } from "node:fs/promises";
import { OdoroboError } from "../../model/errors.ts";
import type { ImageFormat } from "../../model/vm-spec.ts";

/** "QFI\xfb", the first four bytes of every qcow2 file (qemu docs/interop/qcow2.txt). */
const QCOW2_MAGIC = 0x514649fb;
/** The header's field `size`, big endian. */
const QCOW2_SIZE_OFFSET = 24;

export async function virtualSizeBytes(path: string, format: ImageFormat): Promise<number> {
  const file = await open(path, "r");
  try {
    if (format === "raw") return (await file.stat()).size;
    const header = Buffer.alloc(QCOW2_SIZE_OFFSET + 8);
    const { bytesRead } = await file.read(header, 0, header.length, 0);
    if (bytesRead < header.length || header.readUInt32BE(0) !== QCOW2_MAGIC)
      throw new OdoroboError("STORAGE_FAILED", `${path} is not a qcow2 image`, {
        hint: "is its format raw? say so in the manifest of the Image",
      });
    return Number(header.readBigUInt64BE(QCOW2_SIZE_OFFSET));
  } finally {
    await file.close();
  }
}
