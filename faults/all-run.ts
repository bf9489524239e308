/** Whether the guests that run are those that should, once agents have done what they meant to do by themselves. */
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 50;

export interface Fleet {
  /** As "VM on node", both. */
  readonly wanted: () => Iterable<string>;
  readonly running: () => Iterable<string>;
  /** When agents will start again what ended by itself: a back-off may be minutes. In ms of the wall clock. */
  readonly restartsAt: () => Promise<readonly number[]>;
}

/** What is still otherwise `settleMs` after the last of it, as sentences. What runs unasked is said at once: nothing is going to end it. */
export async function untilAllRun(fleet: Fleet, settleMs: number): Promise<string[]> {
  let giveUpAt = Date.now() + settleMs;
  for (;;) {
    const [wanted, running] = [new Set(fleet.wanted()), new Set(fleet.running())];
    const unasked = [...running].filter((each) => !wanted.has(each)).map((each) => `${each} runs`);
    if (unasked.length > 0) return unasked;
    const missing = [...wanted].filter((each) => !running.has(each)).map((each) => `${each} does not run`);
    if (missing.length === 0) return [];
    giveUpAt = Math.max(giveUpAt, ...(await fleet.restartsAt()).map((at) => at + settleMs));
    if (Date.now() > giveUpAt) return missing;
    await sleep(LOOK_MS);
  }
}
