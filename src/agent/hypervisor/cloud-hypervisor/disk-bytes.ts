/** How large disks are for their guest: `vm.info` does not tell, so their files are asked. */
import { stat } from "node:fs/promises";
import type { DiskConfig, VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import { virtualSizeBytes } from "../../storage/image-file.ts";

const MIB = 1024 * 1024;

/** Virtual sizes by disk id. */
export type DiskBytes = Readonly<Record<string, number>>;

interface Seen {
  readonly mtimeMs: number;
  readonly bytes: number;
}

export class DiskSizes {
  /** The headers of images, read when the file has changed since. */
  readonly #seen = new Map<string, Seen>();
  #last: DiskBytes = {};

  /** Of images that can be looked at; block devices and others' formats are left out. The same sizes are the same object. */
  async of({ disks = [] }: VmConfig): Promise<DiskBytes> {
    const sizes: Record<string, number> = {};
    for (const disk of disks) {
      const bytes = await this.#sizeOf(disk).catch(() => null);
      if (disk.id !== undefined && bytes !== null) sizes[disk.id] = bytes;
    }
    if (!isSame(sizes, this.#last)) this.#last = sizes;
    return this.#last;
  }

  async #sizeOf({ path, image_type: type }: DiskConfig): Promise<number | null> {
    if (path === undefined || (type !== "Raw" && type !== "Qcow2")) return null;
    const stats = await stat(path);
    if (!stats.isFile()) return null;
    if (type === "Raw") return stats.size;
    const { mtimeMs } = stats;
    const seen = this.#seen.get(path);
    if (seen?.mtimeMs === mtimeMs) return seen.bytes;
    const bytes = await virtualSizeBytes(path, "qcow2");
    this.#seen.set(path, { mtimeMs, bytes });
    return bytes;
  }
}

const isSame = (a: DiskBytes, b: DiskBytes): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([id, bytes]) => b[id] === bytes);

export const wantedBytes = ({ disks }: VmSpec): DiskBytes =>
  Object.fromEntries(
    disks.flatMap(({ name, origin }) => (origin.kind === "external" ? [] : [[name, origin.sizeMiB * MIB]])),
  );
