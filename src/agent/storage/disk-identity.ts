/** By what a disk is known on this node, through links, hard links, device nodes and loop devices. */
import { readFile, realpath, stat } from "node:fs/promises";
import { canonicalDiskUrl, fileUrl, parseDiskUrl } from "../../model/identity/disk-url.ts";
import { deviceNumber } from "./image-file.ts";
import type { OpenFile } from "./open-files.ts";

/**
 * Two disks that have one of these in common are the same bytes. Where the file is not there yet its path is all there is, so
 * a path counts beside what it leads to. `url` may be a path. Never rejects.
 */
export async function identitiesOf(url: string): Promise<readonly string[]> {
  const place = parseDiskUrl(url);
  const named = canonicalDiskUrl(url);
  if (place.kind === "nbd+unix")
    return [named, ...(await inodes(place.socket)).map((inode) => `${inode} ${place.name}`)];
  if (place.kind !== "file") return [named];
  const real = await realpath(place.path).catch(() => place.path);
  return [...new Set([named, canonicalDiskUrl(fileUrl(real)), ...(await inodes(real))])];
}

/** Of a file that a process has open (`open-files.ts`). Never rejects. */
export const openIdentities = async ({ path, link }: OpenFile): Promise<readonly string[]> => [
  namedIdentity(path),
  ...(await inodes(link)),
];

/** Without a look at the node's files: what is certain of it by its name. */
export const namedIdentity = (url: string): string => canonicalDiskUrl(url);

/** None when nothing is there. */
async function inodes(path: string): Promise<readonly string[]> {
  const stats = await stat(path, { bigint: true }).catch(() => null);
  if (stats === null) return [];
  if (!stats.isBlockDevice()) return [`inode ${stats.dev}:${stats.ino}`];
  // Another node of the same device has another inode.
  const device = deviceNumber(stats.rdev);
  const backing = await readFile(`/sys/dev/block/${device}/loop/backing_file`, "utf8").catch(() => null);
  const below = backing === null ? [] : await inodes(backing.trimEnd());
  return [`device ${device}`, ...below];
}
