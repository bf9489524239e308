/** How much room there is where a disk's bytes are. */
import { statfs } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Disk } from "../../model/vm-spec.ts";
import { ownDiskFile, type VmPaths } from "../launch-command.ts";

/** Bytes that a disk may still grow by; null where only who keeps it knows: a device, another host. */
export async function roomFor(paths: VmPaths, disk: Disk): Promise<number | null> {
  const file = ownDiskFile(paths, disk) ?? externalFile(disk);
  if (file === null || file.startsWith("/dev/")) return null;
  const facts = await statfs(file).catch(() => null);
  return facts === null ? null : facts.bavail * facts.bsize;
}

function externalFile({ origin }: Disk): string | null {
  if (origin.kind !== "external" || !origin.url.startsWith("file:///")) return null;
  try {
    return fileURLToPath(origin.url);
  } catch {
    return null;
  }
}
