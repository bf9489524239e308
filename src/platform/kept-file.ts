/**
 * Files of things that can be made again: a header that says what and whose it is, a checksum, a body.
 *
 * Invariants: what is not exactly what we wrote, by the same code, is as good as not there; two processes at once each write a
 * whole file, and the later one stays; nothing here fails, because without what was kept everything still works.
 */
import { hash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

const NEWLINE = 10;

/** The body; null: missing, unreadable, torn, or not under this header. */
export async function readKept(path: string, header: string): Promise<Buffer | null> {
  try {
    const content = await readFile(path);
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
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** One after the other, so that a large body is never one large text. */
export function* linesOf(body: Buffer): Generator<string> {
  for (let start = 0; start < body.length; ) {
    const end = body.indexOf(NEWLINE, start);
    const stop = end < 0 ? body.length : end;
    yield body.toString("utf8", start, stop);
    start = stop + 1;
  }
}

const checksum = (body: Buffer): string => hash("sha256", body, "hex");
