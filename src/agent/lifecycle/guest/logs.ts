/** The log folder of a VM: how large the logs are before a boot, and the last words of a hypervisor that failed. */
import { constants } from "node:fs";
import { lstat, readdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { writeFileAtomically } from "../../../platform/atomic-write.ts";
import { makeFolders } from "../../../platform/make-folders.ts";
import { openPlainFile } from "../../../platform/plain-file.ts";

/** A log that has grown past this is put aside at the next boot, one generation: a chatty guest must not fill the node. */
const ROTATE_BYTES = 16 * 1024 * 1024;

/** Makes the folder, rotates, and returns the sizes of what is in it. */
export async function prepareLogs(folder: string): Promise<Readonly<Record<string, number>>> {
  await makeFolders(folder);
  const sizes: Record<string, number> = {};
  for (const name of await readdir(folder)) {
    if (name.endsWith(".1")) continue;
    const path = join(folder, name);
    const { size } = await lstat(path);
    if (size > ROTATE_BYTES) await rename(path, `${path}.1`);
    else sizes[name] = size;
  }
  return sizes;
}

/**
 * While a guest runs: what a process itself writes has grown as large as it may. Its end is put aside, and it is cut: whoever
 * writes it appends, so it goes on at the start. Of what is written in the moment between, a little may be lost.
 */
export async function trimLogs(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".log")) continue;
    const path = join(folder, name);
    const file = await openPlainFile(path, constants.O_RDWR);
    try {
      const { size } = await file.stat();
      if (size <= ROTATE_BYTES) continue;
      const end = Buffer.alloc(ROTATE_BYTES);
      const { bytesRead } = await file.read(end, 0, end.length, size - end.length);
      await writeFileAtomically(`${path}.1`, end.subarray(0, bytesRead)).finally(() => file.truncate(0));
    } finally {
      await file.close();
    }
  }
}

const MAX_WORDS = 500;
const LAST_LINES = 3;

/** The last lines that were written since this boot, on one line, without control characters. Empty when it said nothing. */
export async function lastWords(path: string, sizesBefore: Readonly<Record<string, number>>): Promise<string> {
  return (await lastLines(path, sizesBefore, LAST_LINES)).join(" · ").slice(-MAX_WORDS);
}

/** Of a line that is longer its end is kept: what a guest said last matters most. */
const MAX_LINE = 400;

/**
 * The last lines, at most `count`, that were written since this boot: oldest first, none empty, without control characters.
 * A log that cannot be read has none.
 */
export async function lastLines(
  path: string,
  sizesBefore: Readonly<Record<string, number>>,
  count: number,
): Promise<readonly string[]> {
  const file = await openPlainFile(path).catch(() => null);
  if (file === null) return [];
  try {
    const { size } = await file.stat();
    const before = sizesBefore[basename(path)] ?? 0;
    // Shorter than it was: put aside and begun anew since.
    const from = Math.max(before > size ? 0 : before, size - count * 2 * MAX_LINE);
    if (size <= from) return [];
    const buffer = Buffer.alloc(size - from);
    await file.read(buffer, 0, buffer.length, from);
    return (
      buffer
        .toString("utf8")
        .split("\n")
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal.
        .map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim())
        .filter((line) => line !== "")
        .slice(-count)
        .map((line) => line.slice(-MAX_LINE))
    );
  } catch {
    return [];
  } finally {
    await file.close();
  }
}
