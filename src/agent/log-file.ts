/** The end of a log that someone else writes, and what is added to it. Never reads more than it must: serial logs grow for years. */
import { type FileHandle, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno } from "../model/errors.ts";
import { openPlainFile } from "../platform/plain-file.ts";

export interface Tail {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where in which file reading goes on. */
  readonly position: number;
  readonly inode: number;
}

const BLOCK_BYTES = 64 * 1024;
/** However many lines are asked for, and however long they are. */
const MAX_TAIL_BYTES = 8 * 1024 * 1024;
/** Short enough to feel live to a person; costs one stat. */
const POLL_MS = 150;

/** What a log is called that was put aside when it had grown too large. */
const ASIDE = ".1";

/** The last `lines` lines, some of them perhaps from the file that was put aside before this one. A file that is not there yet is empty. */
export async function readTail(path: string, lines: number): Promise<Tail> {
  const file = await openIfThere(path);
  if (file === null) return { bytes: new Uint8Array(0), position: 0, inode: 0 };
  try {
    const { size, ino } = await file.stat();
    const { bytes, isAll } = await readLastLines(file, size, lines);
    const here: Tail = { bytes, position: size, inode: ino };
    if (!isAll || path.endsWith(ASIDE)) return here;
    const more = lines - linesIn(bytes);
    if (more <= 0) return here;
    const before = await readTail(path + ASIDE, more);
    return { ...here, bytes: new Uint8Array(Buffer.concat([before.bytes, bytes])) };
  } finally {
    await file.close();
  }
}

/**
 * The last bytes, wherever a line begins. `from`: not those before it, unless the file was begun anew since; `to`: not those from
 * there on. Where the file has less, the one that it was put aside as has the rest.
 */
export async function readTailBytes(path: string, limit: number, from = 0, to?: number): Promise<Buffer<ArrayBuffer>> {
  const file = await openIfThere(path);
  if (file === null) return Buffer.alloc(0);
  try {
    const size = Math.min((await file.stat()).size, to ?? Number.POSITIVE_INFINITY);
    const length = Math.min(limit, size < from ? size : size - from);
    const bytes = Buffer.from(await readAt(file, size - length, length));
    if (from > 0 || bytes.length === limit || path.endsWith(ASIDE)) return bytes;
    return Buffer.concat([await readTailBytes(path + ASIDE, limit - bytes.length), bytes]);
  } finally {
    await file.close();
  }
}

/** 0 when it is not there. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
}

/** First the tail itself, then what is appended, until the signal. A file that was truncated or replaced is read from its start. */
export async function* followFile(path: string, tail: Tail, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (tail.bytes.length > 0) yield tail.bytes;
  let { position, inode } = tail;
  while (!signal.aborted) {
    const file = await openIfThere(path);
    if (file !== null) {
      try {
        const { size, ino } = await file.stat();
        if (ino !== inode && inode !== 0) yield* restOf(path + ASIDE, inode, position);
        if (ino !== inode || size < position) position = 0;
        inode = ino;
        while (position < size && !signal.aborted) {
          const chunk = await readAt(file, position, Math.min(BLOCK_BYTES, size - position));
          if (chunk.length === 0) break;
          position += chunk.length;
          yield chunk;
        }
      } finally {
        await file.close();
      }
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
}

/** What was added to a file between the last look and the moment it was put aside. */
async function* restOf(path: string, inode: number, position: number): AsyncGenerator<Uint8Array> {
  const file = await openIfThere(path);
  if (file === null) return;
  try {
    const { size, ino } = await file.stat();
    while (ino === inode && position < size) {
      const chunk = await readAt(file, position, Math.min(BLOCK_BYTES, size - position));
      if (chunk.length === 0) return;
      position += chunk.length;
      yield chunk;
    }
  } finally {
    await file.close();
  }
}

const linesIn = (bytes: Uint8Array): number => bytes.reduce((count, byte) => (byte === 0x0a ? count + 1 : count), 0);

/** `isAll`: the file has no more than these. */
async function readLastLines(
  file: FileHandle,
  size: number,
  lines: number,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly isAll: boolean }> {
  if (lines === 0) return { bytes: new Uint8Array(0), isAll: false };
  const blocks: Uint8Array[] = [];
  let start = size;
  let newlines = 0;
  while (start > 0 && size - start < MAX_TAIL_BYTES) {
    const length = Math.min(BLOCK_BYTES, start);
    const block = await readAt(file, start - length, length);
    start -= length;
    blocks.unshift(block);
    for (let index = block.length - 1; index >= 0; index--) {
      const isLastByte = start + index === size - 1;
      if (block[index] !== 0x0a || isLastByte) continue;
      newlines++;
      if (newlines === lines) {
        blocks[0] = block.subarray(index + 1);
        return { bytes: new Uint8Array(Buffer.concat(blocks)), isAll: false };
      }
    }
  }
  return { bytes: new Uint8Array(Buffer.concat(blocks)), isAll: start === 0 };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await openPlainFile(path);
  } catch (error) {
    // A link that a guest left there leads to no log of its own.
    if (isErrno(error, "ENOENT") || isErrno(error, "ELOOP")) return null;
    throw error;
  }
}
