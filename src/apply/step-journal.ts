/**
 * Who writes down how far a run has come, so that another process can carry it on. What is not told here (steps that never
 * began, steps that nobody waited for) is still open, or in doubt: whoever carries on asks for it by the step's own id.
 */
import type { Step } from "../schedule/step.ts";
import type { EndedStep } from "./apply-report.ts";

export interface StepJournal {
  /** Before anything is asked of an agent. */
  started(step: Step): void;
  /** Before each time that an agent is asked: resolves when that it began is kept. Rejects when it must not be asked any more. */
  settled(): Promise<void>;
  /** It was done, it failed, or it never can be because of one that failed. */
  ended(step: Step, ended: EndedStep): void;
}

export const NO_JOURNAL: StepJournal = { started: () => {}, settled: async () => {}, ended: () => {} };
