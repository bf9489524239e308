/** Where disks and records are kept: room, and what the filesystem can and forgets. */
import type { Finding } from "../../model/doctor-report.ts";
import { type Check, fail, ok, unknown, warn } from "../examination.ts";
import type { DiskFacts, Host } from "../host.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** Below this the journal itself is in danger; above that an image or two still fit. */
const FAIL_BYTES = GIB;
const WARN_BYTES = 10 * GIB;
const WARN_SHARE = 0.05;

interface Filesystem {
  readonly name: string;
  /** What is wrong with keeping disks on it; null: nothing. */
  readonly objection: string | null;
  readonly advice: string;
}

/** By the magic numbers of <linux/magic.h>. */
const FILESYSTEMS: Readonly<Record<number, Filesystem>> = {
  61267: { name: "ext4", objection: null, advice: "sparse files" },
  1481003842: {
    name: "xfs",
    objection: null,
    advice: "sparse files, and copies at no cost where it was made with reflink=1",
  },
  2435016766: {
    name: "btrfs",
    objection: null,
    advice: "sparse files and copies at no cost; chattr +C keeps disks fast",
  },
  801189825: { name: "zfs", objection: null, advice: "sparse files" },
  4076150800: { name: "f2fs", objection: null, advice: "sparse files" },
  16914836: { name: "tmpfs", objection: "a reboot of the host empties it", advice: "give --data a folder on a disk" },
  2240043254: { name: "ramfs", objection: "a reboot of the host empties it", advice: "give --data a folder on a disk" },
  2035054128: {
    name: "overlayfs",
    objection: "it is a container's own, and gone with the container",
    advice: "mount a volume there",
  },
  26985: {
    name: "nfs",
    objection: "the agent's journal waits for the network, and stands still with it",
    advice: "keep --data on a local disk, and disks that are shared as external ones",
  },
};

export const checkStorage: Check = async (examination) => {
  const { settings } = examination;
  const folder = await nearestFolder(settings.dataFolder, examination.host);
  if (typeof folder !== "string")
    return [unknown("disk.data", `the data folder ${settings.dataFolder} could not be looked at: ${folder.why}`)];
  const seen = await examination.host.disk(folder);
  if (seen.kind !== "seen")
    return [unknown("disk.data", `${folder} could not be measured${seen.kind === "unseen" ? `: ${seen.why}` : ""}`)];
  const absent = folder === settings.dataFolder ? "" : `; the folder itself is not there yet, this is of ${folder}`;
  return [space(settings.dataFolder, seen.value, absent), files(seen.value), kind(seen.value)];
};

/** A folder that the agent will make lies where its parents lie. */
async function nearestFolder(path: string, host: Host): Promise<string | { readonly why: string }> {
  const seen = await host.facts(path);
  if (seen.kind === "seen") return path;
  if (seen.kind === "unseen") return { why: seen.why };
  const parent = path.slice(0, path.lastIndexOf("/")) || "/";
  return parent === path ? { why: "there is no such path" } : nearestFolder(parent, host);
}

function space(folder: string, { totalBytes, freeBytes }: DiskFacts, absent: string): Finding {
  const what = `${size(freeBytes)} of ${size(totalBytes)} are free for ${folder}${absent}`;
  const hint = "odorobo vm list --deleted shows whose disks are kept; vm purge removes them";
  if (freeBytes < FAIL_BYTES) return fail("disk.space", what, hint);
  if (freeBytes < WARN_BYTES || freeBytes < totalBytes * WARN_SHARE) return warn("disk.space", what, hint);
  return ok("disk.space", what);
}

function files({ totalFiles, freeFiles }: DiskFacts): Finding {
  if (totalFiles === 0) return ok("disk.inodes", "this filesystem has no fixed number of files");
  const what = `${freeFiles} of ${totalFiles} files can still be made`;
  const hint = "what fills it? find FOLDER -xdev -type f | cut -d/ -f1-4 | sort | uniq -c";
  if (freeFiles < 1_000) return fail("disk.inodes", what, hint);
  return freeFiles < totalFiles * WARN_SHARE ? warn("disk.inodes", what, hint) : ok("disk.inodes", what);
}

function kind({ type }: DiskFacts): Finding {
  const known = FILESYSTEMS[type];
  if (known === undefined)
    return unknown("disk.filesystem", `a filesystem of type 0x${type.toString(16)}, of which nothing is known here`);
  if (known.objection === null) return ok("disk.filesystem", `${known.name}: ${known.advice}`);
  const losesAll = known.name === "tmpfs" || known.name === "ramfs";
  return (losesAll ? fail : warn)("disk.filesystem", `${known.name}: ${known.objection}`, known.advice);
}

/** A small disk is told in MiB: `0 GiB of 0 GiB` says nothing. */
const size = (bytes: number): string =>
  bytes < GIB ? `${Math.floor(bytes / MIB)} MiB` : `${Number((bytes / GIB).toFixed(1))} GiB`;
