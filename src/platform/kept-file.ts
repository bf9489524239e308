/**
 * Files of things that can be made again: a header that says what and whose it is, a checksum, a body.
 *
 * Invariants: what is not exactly what we wrote, by the same code, is as good as not there; two processes at once each write a
 * whole file, and the later one stays; nothing here fails, because without what was kept everything still works.
 */
import { hash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const NEWLINE = 10;

/** The body; null: missing, unreadable, torn, or not under this header. At once: for many small files that is several times faster. */
export function readKept(path: string, header: string): Buffer | null {
  try {
    const content = readFileSync(path);
    const headerEnd = content.indexOf(NEWLINE);
    if (headerEnd < 0 || content.toString("utf8", 0, headerEnd) !== header) return null;
    const bodyStart = content.indexOf(NEWLINE, headerEnd + 1) + 1;
    const body = content.subarray(bodyStart);
    return bodyStart > 0 && content.toString("latin1", headerEnd + 1, bodyStart - 1) === checksum(body) ? body : null;
  } catch {
    return null;
  }
}

/** Mode 600: manifests may hold cloud-init texts. Not synced: after a power cut the checksum tells, and nothing is lost. */
export async function writeKept(path: string, header: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomUUID()}.tmp`;
  try {
    const body = Buffer.from(text);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(temporary, Buffer.concat([Buffer.from(`${header}\n${checksum(body)}\n`), body]), { mode: 0o600 });
    await rename(temporary, path);
    await tidy(dirname(path));
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** One after the other: a large body need never be one large text. */
export function* linesOf(body: Buffer): Generator<Buffer> {
  for (let start = 0; start < body.length; ) {
    const end = body.indexOf(NEWLINE, start);
    const stop = end < 0 ? body.length : end;
    yield body.subarray(start, stop);
    start = stop + 1;
  }
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

const checksum = (body: Buffer): string => hash("sha256", body, "hex");
