/** How large disks are for their guest: `vm.info` does not tell. */
import { stat } from "node:fs/promises";
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import { virtualSizeBytes } from "../../storage/image-size.ts";

const MIB = 1024 * 1024;

/** Virtual sizes by disk id, of images that can be looked at. Block devices and others' formats are left out. */
export async function diskBytes({ disks = [] }: VmConfig): Promise<Readonly<Record<string, number>>> {
  const sizes: Record<string, number> = {};
  for (const { id, path, image_type: type } of disks) {
    if (id === undefined || path === undefined || (type !== "Raw" && type !== "Qcow2")) continue;
    const bytes = await sizeOf(path, type === "Raw" ? "raw" : "qcow2").catch(() => null);
    if (bytes !== null) sizes[id] = bytes;
  }
  return sizes;
}

async function sizeOf(path: string, format: "raw" | "qcow2"): Promise<number | null> {
  return (await stat(path)).isFile() ? virtualSizeBytes(path, format) : null;
}

export const wantedBytes = ({ disks }: VmSpec): Readonly<Record<string, number>> =>
  Object.fromEntries(
    disks.flatMap(({ name, origin }) => (origin.kind === "external" ? [] : [[name, origin.sizeMiB * MIB]])),
  );
