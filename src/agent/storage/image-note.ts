/**
 * What lies below an overlay, noted when it is made (ADR 0018). `image-watch.ts` says whether it still does.
 *
 * An overlay holds only what its guest wrote: the rest it reads from the image below, by block number. Over other bytes it still
 * opens, mounts and even checks clean, with the files of two systems in it. So nothing is booted over bytes that are not known
 * to be the same.
 *
 * What is noted: size, time of the last write, and a digest of samples. Reading a whole image takes four seconds of CPU for each
 * 2 GiB, and nobody would wait for that; a write moves the time, and a copy that kept the time is told by its samples. A block
 * device has no time that could be trusted: its samples are compared each time.
 */
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { OdoroboError } from "../../model/errors.ts";
import { extentOf, lookAtImage, openToLook } from "./image-file.ts";

export interface ImageNote {
  /** As the overlay, or the image above, names it: what the hypervisor opens. */
  readonly path: string;
  /** With its links followed, when it was noted. */
  readonly file: string;
  readonly kind: "file" | "device";
  readonly bytes: number;
  /** Nanoseconds since 1970, of the last write; `0` of a device. */
  readonly modifiedNs: string;
  /** Only to know the very same file again without reading it: a copy has another, and may be as good. */
  readonly inode: string;
  /** SHA-256 of what is at `placesToRead`. */
  readonly samples: string;
}

/** Deeper than any chain that somebody made on purpose; Cloud Hypervisor stops at ten, too. */
export const DEEPEST = 10;

/** First and last in one piece: headers, tables and superblocks stand there. */
const EDGE_BYTES = 1024 * 1024;
const SAMPLES = 256;
const SAMPLE_BYTES = 4096;

/** Of `path`, and of what its header says it stands on, nearest first. Rejects as the file system does, or with UNSUPPORTED. */
export async function noteChain(path: string): Promise<readonly ImageNote[]> {
  const notes: ImageNote[] = [];
  for (const each of [path, ...(await chainBelow(path))]) notes.push(await noteImage(each));
  return notes;
}

/** What `path` reads from where it holds nothing itself, and so on. Rejects as `noteChain` does. */
export async function chainBelow(path: string): Promise<readonly string[]> {
  const chain: string[] = [];
  for (let next = await backingOf(path); next !== null; next = await backingOf(next)) {
    if (chain.length === DEEPEST) throw unfit(path, `more than ${DEEPEST} images`);
    chain.push(next);
  }
  return chain;
}

/** What a qcow2 image reads where it holds nothing itself; null: it stands alone. */
export async function backingOf(path: string): Promise<string | null> {
  const backing = (await lookAtImage(path)).qcow2?.backingFile ?? null;
  if (backing === null) return null;
  if (backing === "" || /^[a-z][a-z0-9+.-]+:/i.test(backing)) throw unfit(path, "what is no file");
  // As QEMU takes it: beside the image that names it.
  return resolve(dirname(path), backing);
}

const unfit = (path: string, what: string): OdoroboError =>
  new OdoroboError("UNSUPPORTED", `${path} stands on ${what}`, { hint: "make one image of them: qemu-img convert" });

async function noteImage(path: string): Promise<ImageNote> {
  const file = await realpath(path);
  const handle = await openToLook(file);
  try {
    const { kind, bytes } = await extentOf(handle, file);
    const stats = await handle.stat({ bigint: true });
    const modifiedNs = kind === "file" ? `${stats.mtimeNs}` : "0";
    return { path, file, kind, bytes, modifiedNs, inode: `${stats.ino}`, samples: await sample(handle, bytes) };
  } finally {
    await handle.close();
  }
}

/** Of what is there now, `bytes` long. */
export async function samplesOf(path: string, bytes: number): Promise<string> {
  const handle = await openToLook(path);
  try {
    return await sample(handle, bytes);
  } finally {
    await handle.close();
  }
}

async function sample(handle: Awaited<ReturnType<typeof openToLook>>, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(EDGE_BYTES);
  for (const [at, length] of placesToRead(bytes)) {
    const { bytesRead } = await handle.read(buffer, 0, length, at);
    hash.update(buffer.subarray(0, bytesRead));
  }
  return hash.digest("hex");
}

/** Offsets and lengths: both edges, and samples evenly in between; all of what is small. */
export function placesToRead(bytes: number): readonly (readonly [at: number, length: number])[] {
  if (bytes <= 2 * EDGE_BYTES + SAMPLES * SAMPLE_BYTES)
    return Array.from({ length: Math.ceil(bytes / EDGE_BYTES) }, (_, index) => [
      index * EDGE_BYTES,
      Math.min(EDGE_BYTES, bytes - index * EDGE_BYTES),
    ]);
  const step = Math.floor((bytes - 2 * EDGE_BYTES - SAMPLE_BYTES) / (SAMPLES - 1));
  const between = Array.from({ length: SAMPLES }, (_, index) => [EDGE_BYTES + index * step, SAMPLE_BYTES] as const);
  return [[0, EDGE_BYTES], ...between, [bytes - EDGE_BYTES, EDGE_BYTES]];
}
