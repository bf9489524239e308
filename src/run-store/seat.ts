/**
 * What one process at a time may have: who has it is known by the executor's door, so that it is free the moment that process is gone,
 * however that ends. A name for people lies beside it.
 */
import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../model/errors.ts";
import { type Instant, instant } from "../model/names.ts";
import type { Seat } from "../run/run-store.ts";
import { openDoor } from "./executor-door.ts";

/** `folder`: of this seat alone; made when there is none. Rejects with FILE_UNWRITABLE. */
export async function takeSeat(folder: string, by: string, since: Instant): Promise<Seat> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const door = await openDoor(await keyOf(folder));
    if (door === null) return { kind: "taken", ...(await readHolder(folder)) };
    await writeFile(join(folder, "holder.json"), JSON.stringify({ by, since }), { mode: 0o600 }).catch(() => {});
    return { kind: "ours", [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() };
  } catch (error) {
    throw new OdoroboError("FILE_UNWRITABLE", `${folder} could not be written to`, {
      cause: error,
      hint: "choose another place with --state FOLDER, or ODOROBO_STATE",
    });
  }
}

/** Whoever comes first makes it, whole: two who come at once find the same. */
async function keyOf(folder: string): Promise<string> {
  const path = join(folder, "key");
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  const own = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await writeFile(own, randomBytes(16).toString("hex"), { mode: 0o600 });
    await link(own, path).catch((error: unknown) => {
      if (!isErrno(error, "EEXIST")) throw error;
    });
  } finally {
    await unlink(own).catch(() => {});
  }
  return await readFile(path, "utf8");
}

async function readHolder(folder: string): Promise<{ readonly by: string | null; readonly since: Instant | null }> {
  try {
    const { by, since } = JSON.parse(await readFile(join(folder, "holder.json"), "utf8")) as Record<string, unknown>;
    return { by: String(by), since: instant(String(since)) };
  } catch {
    return { by: null, since: null };
  }
}
