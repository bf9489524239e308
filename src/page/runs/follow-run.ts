/** A run's journal as it is written, folded by the same rule that whoever carries runs out goes by. */
import { type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { RunEvent } from "../../run/journal.ts";
import { JournalFold, type RunState } from "../../run/state.ts";
import { readStream } from "../data/read-stream.ts";

export interface FollowedRun {
  /** Null: nothing was told yet. */
  readonly state: RunState | null;
  /** How many events there were: the steps of a state go on with them. */
  readonly turn: number;
  /** Somebody executes it, or waits for its answer: whatever happens is told. */
  readonly isFollowed: boolean;
}

const PAUSES_MS = [500, 1_000, 2_000, 5_000];

/** `onTurn`: it stands otherwise than before: its document is to be read again. */
export function useRunJournal(run: string, onTurn: () => void): Signal<FollowedRun> {
  const followed = useMemo(() => signal<FollowedRun>({ state: null, turn: 0, isFollowed: false }), [run]);
  useEffect(() => {
    let current: AbortController | null = null;
    const look = (): void => {
      if (document.hidden) {
        current?.abort();
        current = null;
      } else if (current === null) {
        current = new AbortController();
        void follow(run, current.signal, followed, onTurn);
      }
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      current?.abort();
    };
  }, [run]);
  return followed;
}

async function follow(
  run: string,
  signal: AbortSignal,
  followed: Signal<FollowedRun>,
  onTurn: () => void,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    // The journal is told from its beginning each time.
    const fold = new JournalFold();
    let turn = 0;
    try {
      const options = { lastId: null, signal, opened: () => {}, alive: () => {} };
      for await (const { event, data } of readStream(`/v1/runs/${encodeURIComponent(run)}/events`, options)) {
        if (event === "reset") continue;
        const told = JSON.parse(data) as RunEvent;
        fold.add(told);
        turn++;
        failures = 0;
        // Told again from its beginning: what was shown already is not taken back.
        if (turn < followed.value.turn) continue;
        followed.value = { state: fold.state, turn, isFollowed: true };
        if (!told.event.startsWith("step-")) onTurn();
      }
    } catch {
      // That the gateway is gone is told where everybody looks; here it is tried again.
    }
    if (signal.aborted) return;
    followed.value = { ...followed.value, isFollowed: false };
    onTurn();
    if (fold.state?.outcome != null) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]));
  }
}
