/** A run that is kept nowhere: where there is no place for it, and for what nobody would carry on. Ends with the process. */
import type { Plan } from "../plan/plan-document.ts";
import type { RunBegun } from "../run/journal.ts";
import type { RunClaim } from "../run/run-store.ts";
import { JournalFold, type RunState } from "../run/state.ts";

export function memoryRun(plan: Plan, begun: RunBegun): RunClaim {
  const fold = new JournalFold();
  fold.add(begun);
  return {
    id: begun.run,
    plan,
    state: () => fold.state as RunState,
    append: (event) => fold.add(event),
    settled: async () => {},
    onCommand: () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
