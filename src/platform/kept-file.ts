/**
 * Files of things that can be made again: a header that says what and whose it is, a checksum, a body.
 *
 * Invariants: what is not exactly what we wrote, by the same code, is as good as not there; two processes at once each write a
 * whole file, and the later one stays; nothing here fails, because without what was kept everything still works.
 */
import { createHash, randomUUID } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const NEWLINE = 10;
const CHUNK_BYTES = 256 * 1024;

/**
 * The body's lines, one after the other: a large file is never in memory as a whole. False: missing, unreadable, torn, or not under
 * this header; then what the lines said counts for nothing. `onLine` is given what makes a text of the line, to be called before the
 * next one or never. Read at once: for many small files that is several times faster.
 */
export function readKept(path: string, header: string, onLine: (text: () => string) => void): boolean {
  let file: number | null = null;
  try {
    file = openSync(path, "r");
    const digest = createHash("sha256");
    let checksum: string | null = null;
    const take = (text: () => string, number: number) => {
      if (number > 1) onLine(text);
      else if (number === 1) checksum = text();
      else if (text() !== header) throw new Error("another's");
    };
    readLines(file, take, (body) => void digest.update(body));
    return checksum === digest.digest("hex");
  } catch {
    return false;
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** `onBody`: all that follows the first two lines, as it comes. Throws when the last line has no end: we end them all. */
function readLines(
  file: number,
  onLine: (text: () => string, number: number) => void,
  onBody: (bytes: Buffer) => void,
): void {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, fstatSync(file).size));
  let begun: Buffer | null = null;
  let number = 0;
  for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
    let start = 0;
    let body = number < 2 ? length : 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0 && end < length; end = chunk.indexOf(NEWLINE, start)) {
      const [from, to, before] = [start, end, begun];
      begun = null;
      start = end + 1;
      onLine(
        () =>
          before === null
            ? chunk.toString("utf8", from, to)
            : Buffer.concat([before, chunk.subarray(from, to)]).toString("utf8"),
        number,
      );
      number++;
      if (number === 2) body = start;
    }
    if (start < length) begun = Buffer.concat([begun ?? Buffer.alloc(0), chunk.subarray(start, length)]);
    if (body < length) onBody(chunk.subarray(body, length));
  }
  if (begun !== null) throw new Error("torn");
}

/** Mode 600: manifests may hold cloud-init texts. Not synced: after a power cut the checksum tells, and nothing is lost. */
export async function writeKept(path: string, header: string, lines: readonly string[]): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomUUID()}.tmp`;
  try {
    const digest = createHash("sha256");
    for (const line of lines) digest.update(line).update("\n");
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(temporary, piecesOf([header, digest.digest("hex"), ...lines]), { mode: 0o600 });
    await rename(temporary, path);
    await tidy(dirname(path));
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Lines with their ends, some at a time: all of a large fleet in one text would be in memory three times. */
function* piecesOf(lines: readonly string[]): Generator<string> {
  let piece = "";
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < CHUNK_BYTES) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** Of one folder: fleets and nodes come and go, and nobody else clears up after them. 10,000 VMs take some 40 MB. */
const FILES_AT_MOST = 5_000;
const BYTES_AT_MOST = 512 * 1024 * 1024;
/** What a process that died while it wrote has left is older than that. */
const ABANDONED_MS = 3_600_000;

const tidied = new Set<string>();

/** Once in a process: what was written longest ago goes first. */
async function tidy(folder: string): Promise<void> {
  if (tidied.has(folder)) return;
  tidied.add(folder);
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const found = await stat(path).catch(() => null);
      return { path, writtenAt: found?.mtimeMs ?? 0, bytes: found?.size ?? 0 };
    }),
  );
  files.sort((a, b) => b.writtenAt - a.writtenAt);
  const latest = files[0]?.writtenAt ?? 0;
  let bytes = 0;
  for (const [index, file] of files.entries()) {
    bytes += file.bytes;
    const isAbandoned = file.path.endsWith(".tmp") && file.writtenAt < latest - ABANDONED_MS;
    if (isAbandoned || index >= FILES_AT_MOST || bytes > BYTES_AT_MOST) await rm(file.path, { force: true });
  }
}
