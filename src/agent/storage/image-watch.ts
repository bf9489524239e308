/** Whether what lies below the overlays is what was noted. A `stat` where nothing has changed; samples are read where something has. */
import { readlink, realpath, stat } from "node:fs/promises";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { extentOf, openToLook } from "./image-file.ts";
import { type ImageNote, samplesOf } from "./image-note.ts";

/** For people. */
export interface ImageChange {
  /** As the overlay names it. */
  readonly path: string;
  /** `/images/a.qcow2 (67108864 bytes, written 2026-11-28T12:00:00.000Z)`, or what there is instead. */
  readonly was: string;
  readonly is: string;
  /** Nothing is there. */
  readonly isGone: boolean;
  readonly hint: string;
}

interface Seen extends Pick<ImageNote, "kind" | "bytes" | "modifiedNs" | "inode"> {
  readonly changedNs: string;
}

export class ImageWatch {
  /** Samples of files that are not the noted ones, by path: of one that lies still they are read once. */
  readonly #samples = new Map<string, { readonly of: string; readonly samples: string }>();

  /**
   * What is other than it was, nearest first; null: all is as it was noted. Rejects when that cannot be seen.
   * `quick`: devices are believed to be what they were as long as their size is.
   */
  async findChange(notes: readonly ImageNote[], { quick = false } = {}): Promise<ImageChange | null> {
    for (const note of notes) {
      const change = await this.#compare(note, quick);
      if (change !== null) return change;
    }
    return null;
  }

  async #compare(note: ImageNote, quick: boolean): Promise<ImageChange | null> {
    const now = await lookAt(note.path);
    if (now === null)
      return {
        path: note.path,
        was: describe(note.file, note),
        is: await describeNothing(note.path),
        isGone: true,
        hint: `put it back with the time that it had: mv, cp -p and rsync -t keep it. ${ANOTHER_DISK}`,
      };
    const isSameExtent = now.kind === note.kind && now.bytes === note.bytes;
    if (isSameExtent && note.kind === "device" && quick) return null;
    const isUntouched = note.kind === "file" && now.modifiedNs === note.modifiedNs && now.inode === note.inode;
    if (isSameExtent && isUntouched) return null;
    const isSameTime = note.kind === "device" || isTime(now.modifiedNs, note.modifiedNs);
    const looksSame = isSameExtent && (await this.#samplesOf(note.path, now)) === note.samples;
    if (looksSame && isSameTime) return null;
    const file = await realpath(note.path);
    return {
      path: note.path,
      was: describe(note.file, note),
      is:
        describe(file === note.file ? "a file" : file, now) +
        (isSameExtent && !looksSame ? ", with other contents" : ""),
      isGone: false,
      hint: looksSame
        ? `it may be a copy: if you know that every byte is the same, give it its time back with ${touch(note)}. ${ANOTHER_DISK}`
        : `put back what was there. ${ANOTHER_DISK}`,
    };
  }

  async #samplesOf(path: string, now: Seen): Promise<string> {
    const of = JSON.stringify(now);
    const known = this.#samples.get(path);
    if (known?.of === of && now.kind === "file") return known.samples;
    const samples = await samplesOf(path, now.bytes);
    this.#samples.set(path, { of, samples });
    return samples;
  }
}

const ANOTHER_DISK = "To start from the new image instead, give the disk another name: the old one stays on the node";

/** Null: nothing is there. */
async function lookAt(path: string): Promise<Seen | null> {
  const stats = await stat(path, { bigint: true }).catch((error: unknown) => {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return null;
    throw error;
  });
  if (stats === null) return null;
  const [inode, changedNs] = [`${stats.ino}`, `${stats.ctimeNs}`];
  if (stats.isFile())
    return { kind: "file", bytes: Number(stats.size), modifiedNs: `${stats.mtimeNs}`, inode, changedNs };
  const file = await openToLook(path);
  try {
    return { ...(await extentOf(file, path)), modifiedNs: "0", inode, changedNs };
  } finally {
    await file.close();
  }
}

/** Some tools that copy keep whole seconds or microseconds of a time; what is written anew has the time of now. */
function isTime(now: string, noted: string): boolean {
  const exact = BigInt(noted);
  return [1n, 1000n, 1_000_000_000n].some((unit) => BigInt(now) === exact - (exact % unit));
}

const touch = ({ path, modifiedNs }: ImageNote): string =>
  `touch -d @${modifiedNs.slice(0, -9) || "0"}.${modifiedNs.slice(-9).padStart(9, "0")} ${quoted(path)}`;

const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/** `file`: its path, or `a file` where the path was just said. */
function describe(file: string, { kind, bytes, modifiedNs }: Pick<ImageNote, "kind" | "bytes" | "modifiedNs">): string {
  if (kind === "device")
    return file === "a file" ? `a block device of ${bytes} bytes` : `${file} (a block device of ${bytes} bytes)`;
  return `${file} (${bytes} bytes, written ${new Date(Number(BigInt(modifiedNs) / 1_000_000n)).toISOString()})`;
}

async function describeNothing(path: string): Promise<string> {
  const target = await readlink(path).catch(() => null);
  return target === null ? "nothing" : `a link to nothing, ${target}`;
}

/** IMAGE_CHANGED or IMAGE_MISSING. */
export const changeError = (disk: string, { path, was, is, isGone, hint }: ImageChange): OdoroboError =>
  new OdoroboError(
    isGone ? "IMAGE_MISSING" : "IMAGE_CHANGED",
    `disk ${disk} was made over ${was}, and at ${path} there is now ${is}`,
    { hint },
  );
