/**
 * What this node said, and does not take back, about guests that another node was to bring: `<data>/arrivals.json`, by the digest of the ticket.
 *
 * `refused`: it never ran here and never will, so the other node may let it run on; noted before anybody is told. `taken`: it ran here, whatever
 * has become of it since. A ticket that nothing is noted of was never seen here, or is forgotten: that says nothing, and nothing is done upon it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../../model/errors.ts";
import type { Digest } from "../../model/names.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import { isNoRoom, storageError } from "../storage-error.ts";
import type { Reserve } from "./reserve.ts";

export type Verdict = "taken" | "refused";

export interface ArrivalVerdicts {
  /** Null: nothing is noted. */
  of(ticket: Digest): Verdict | null;
  /** Durable when it resolves, on a full disk, too. The first one stands. Rejects with INSUFFICIENT_STORAGE or STORAGE_FAILED. */
  note(ticket: Digest, verdict: Verdict): Promise<void>;
}

/** 90 bytes each; a node that takes a guest in every minute of a day remembers them all. */
const REMEMBERED = 2_000;

export async function openArrivalVerdicts(
  dataFolder: string,
  { reserve }: { readonly reserve: Reserve },
): Promise<ArrivalVerdicts> {
  const path = join(dataFolder, "arrivals.json");
  const known = await read(path);
  let writing: Promise<void> = Promise.resolve();

  async function write(ticket: Digest, verdict: Verdict): Promise<void> {
    if (known.has(ticket)) return;
    const next = [...known, [ticket, verdict] as const].slice(-REMEMBERED);
    const text = JSON.stringify({ verdicts: Object.fromEntries(next) });
    try {
      await writeFileAtomically(path, text).catch((error: unknown) => {
        if (!isNoRoom(error)) throw error;
        return reserve.write(path, text);
      });
    } catch (error) {
      throw storageError(`the agent could not write ${path}`, error);
    }
    known.set(ticket, verdict);
    const [oldest] = known.keys();
    if (known.size > REMEMBERED && oldest !== undefined) known.delete(oldest);
  }

  return {
    of: (ticket) => known.get(ticket) ?? null,
    note(ticket, verdict) {
      const mine = writing.then(() => write(ticket, verdict));
      writing = mine.catch(() => {});
      return mine;
    },
  };
}

/** What cannot be read is as good as nothing: then nothing is done upon it. */
async function read(path: string): Promise<Map<Digest, Verdict>> {
  try {
    const { verdicts } = JSON.parse(await readFile(path, "utf8")) as { verdicts: Record<Digest, Verdict> };
    return new Map(
      Object.entries(verdicts).filter(([, verdict]) => verdict === "taken" || verdict === "refused") as [
        Digest,
        Verdict,
      ][],
    );
  } catch (error) {
    if (isErrno(error, "ENOENT") || error instanceof SyntaxError || error instanceof TypeError) return new Map();
    throw storageError(`the agent could not read ${path}`, error);
  }
}
