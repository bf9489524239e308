/** States as the page shows them: a tone, a shape and a word. The shape says it without the colour, the word without either. */
import type { ChangeClass } from "../../model/change-class.ts";
import type { Action } from "../../model/changes.ts";
import type { RowPhase, VmRow } from "../../report/gateway/page-documents.ts";

export type Tone = "good" | "busy" | "note" | "warn" | "bad" | "off" | "unknown";
export type Shape = "disc" | "half" | "ring" | "bars" | "arrow" | "triangle" | "cross" | "dashed" | "diamond";

export interface Sign {
  readonly tone: Tone;
  readonly shape: Shape;
  readonly word: string;
}

const PHASES: Readonly<Record<RowPhase, Sign>> = {
  running: { tone: "good", shape: "disc", word: "running" },
  starting: { tone: "busy", shape: "arrow", word: "starting" },
  stopping: { tone: "busy", shape: "arrow", word: "stopping" },
  paused: { tone: "note", shape: "bars", word: "paused" },
  stopped: { tone: "off", shape: "ring", word: "stopped" },
  crashed: { tone: "bad", shape: "triangle", word: "crashed" },
  absent: { tone: "warn", shape: "cross", word: "absent" },
  unknown: { tone: "unknown", shape: "dashed", word: "unknown" },
  unreadable: { tone: "bad", shape: "cross", word: "unreadable" },
};

const NOT_READY: Sign = { tone: "warn", shape: "half", word: "not ready" };

export const signOfVm = ({ phase, ready }: Pick<VmRow, "phase" | "ready">): Sign =>
  phase === "running" && ready === false ? NOT_READY : (PHASES[phase] ?? PHASES.unknown);

/** Of revisions, as `standing` says. */
const STANDINGS: Readonly<Record<string, Sign>> = {
  seen: { tone: "busy", shape: "arrow", word: "seen" },
  read: { tone: "busy", shape: "arrow", word: "read" },
  planned: { tone: "busy", shape: "arrow", word: "planned" },
  waiting: { tone: "warn", shape: "diamond", word: "waits for approval" },
  applying: { tone: "busy", shape: "arrow", word: "applying" },
  applied: { tone: "good", shape: "disc", word: "applied" },
  unchanged: { tone: "good", shape: "disc", word: "in force, nothing to do" },
  failed: { tone: "bad", shape: "triangle", word: "failed" },
  refused: { tone: "bad", shape: "cross", word: "refused" },
  replaced: { tone: "off", shape: "ring", word: "replaced" },
};

/** Of runs, as `status` says. */
const STATUSES: Readonly<Record<string, Sign>> = {
  waiting: { tone: "warn", shape: "diamond", word: "waits for approval" },
  approved: { tone: "busy", shape: "arrow", word: "approved" },
  running: { tone: "busy", shape: "arrow", word: "running" },
  pausing: { tone: "note", shape: "bars", word: "pausing" },
  paused: { tone: "note", shape: "bars", word: "paused" },
  aborting: { tone: "warn", shape: "cross", word: "aborting" },
  stranded: { tone: "warn", shape: "dashed", word: "stranded" },
  done: { tone: "good", shape: "disc", word: "done" },
  failed: { tone: "bad", shape: "triangle", word: "failed" },
  aborted: { tone: "off", shape: "cross", word: "aborted" },
  refused: { tone: "off", shape: "cross", word: "refused" },
  replaced: { tone: "off", shape: "ring", word: "replaced" },
};

const unheardOf = (word: string): Sign => ({ tone: "unknown", shape: "dashed", word });

export const signOfStanding = (standing: string): Sign => STANDINGS[standing] ?? unheardOf(standing);
export const signOfStatus = (status: string): Sign => STATUSES[status] ?? unheardOf(status);

export type StepState = "to-come" | "in-flight" | "done" | "failed" | "skipped";

export const STEP_SIGNS: Readonly<Record<StepState, Sign>> = {
  "to-come": { tone: "off", shape: "ring", word: "to come" },
  "in-flight": { tone: "busy", shape: "arrow", word: "under way" },
  done: { tone: "good", shape: "disc", word: "done" },
  failed: { tone: "bad", shape: "triangle", word: "failed" },
  skipped: { tone: "off", shape: "cross", word: "skipped" },
};

/** As `report/words/paint.ts` has it: red is for what the guest notices badly, yellow for what it notices, green for what is new. */
export const ACTION_TONES: Readonly<Record<Action, Tone>> = {
  create: "good",
  boot: "good",
  update: "note",
  migrate: "busy",
  reboot: "warn",
  stop: "warn",
  replace: "bad",
  destroy: "bad",
};

export const CLASS_TONES: Readonly<Record<ChangeClass, Tone>> = {
  none: "off",
  metadata: "off",
  live: "note",
  pause: "warn",
  migrate: "busy",
  reboot: "warn",
  replace: "bad",
  destroy: "bad",
};
