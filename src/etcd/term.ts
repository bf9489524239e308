/**
 * What the one who leads goes by, and how it writes: each write holds only while its key is there and the record is as it was read.
 * So what was on its way for long, was sent twice or comes from one who leads no more changes nothing.
 *
 *   gateway/cluster/leadership.ts (who leads) → [term.ts] → run-store/etcd/, gateway/cluster/ (what is written)
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import type { Etcd, Write } from "./etcd.ts";
import { isNoRoom } from "./etcd-errors.ts";

export interface Term {
  /** Of this leader, with its lease: its being there is leading. */
  readonly key: string;
  /** The revision that made it. Later terms have higher ones, until etcd is restored from a backup. */
  readonly number: number;
  readonly lease: string;
  /** Aborts when it is over, or may be. The reason is NOT_LEADER. */
  readonly lost: AbortSignal;
  /** Throws NOT_LEADER when it is not certain by the clock that it goes on. Asked when something is to be done, and not before. */
  requireNow(): void;
  /** Something was seen that cannot be while it leads. */
  giveUp(because: string): void;
}

export const notLeader = (message: string): OdoroboError =>
  new OdoroboError("NOT_LEADER", message, {
    hint: "whoever leads carries on; odorobo gateway status says who",
  });

export interface Record {
  readonly key: string;
  /** As it was read or written last; 0: there is none. */
  readonly modified: number;
  /** Unlike any that it had before: by it, it is known again. */
  readonly value: Uint8Array;
}

const AGAIN_MS = 100;
const ROOM_MS = 1_000;

/**
 * Resolves with the revision that the record has then. While etcd does not answer, or has no room, it is tried again for as long as the
 * term lasts. Rejects with NOT_LEADER. `onTrouble`: it takes longer, because of that.
 */
export async function writeInTerm(
  etcd: Etcd,
  term: Term,
  record: Record,
  others: readonly Write[] = [],
  onTrouble: (error: OdoroboError) => void = () => {},
): Promise<number> {
  const { key, modified, value } = record;
  const conditions = [
    { key: term.key, created: term.number },
    { key, modified },
  ];
  for (let isDoubtful = false; ; ) {
    if (term.lost.aborted) throw term.lost.reason;
    try {
      const { isDone, revision } = await etcd.write(conditions, [{ put: key, value }, ...others]);
      if (isDone) return revision;
      // Of an earlier try nobody answered, and it was done all the same.
      const found = await etcd.get(key);
      if (isDoubtful && found?.value.equals(value) === true) return found.modified;
      term.giveUp("what it wrote was not taken: its key is gone, or somebody else has written");
      throw term.lost.reason;
    } catch (error) {
      if (!isOdoroboError(error, "ETCD_UNREACHABLE") && !isNoRoom(error)) throw error;
      isDoubtful = true;
      if (isNoRoom(error)) onTrouble(error as OdoroboError);
      await sleep(isNoRoom(error) ? ROOM_MS : AGAIN_MS, undefined, { signal: term.lost }).catch(() => {});
    }
  }
}
