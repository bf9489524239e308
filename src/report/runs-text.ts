/** Runs for people: the list, one of them, and what may be done with one that is not over. */
import type { Plan } from "../plan/plan-document.ts";
import type { RunStatus } from "../run/state.ts";
import { renderApplyReport, renderUnderWay } from "./apply-text.ts";
import { renderPlan } from "./plan/plan-text.ts";
import type { RunDocument, RunList, RunSummary } from "./run-document.ts";
import { safeLine } from "./words/safe-text.ts";
import { type Column, renderTable, type TableOptions } from "./words/table.ts";

const COLUMNS: readonly Column<RunSummary>[] = [
  { title: "RUN", kind: "name", show: (run) => run.id },
  { title: "STATUS", kind: "state", show: (run) => run.status },
  { title: "FLEET", kind: "name", show: (run) => run.fleet },
  { title: "STEPS", kind: "number", show: showSteps },
  { title: "LAST", show: (run) => run.at },
  { title: "BY", show: (run) => run.by },
];

/** Where the runs are kept, as a hint repeats it: flags for its command line. Empty: where the commands look by themselves. */
export interface RunsPlace {
  readonly place: string;
}

export function renderRuns({ runs, unreadable }: RunList, options: TableOptions & RunsPlace): string {
  const lines = runs.length === 0 ? ["No runs."] : [renderTable(COLUMNS, runs, options)];
  for (const run of runs) if (run.status === "waiting") lines.push(...renderNext(run, options));
  for (const { id, problem } of unreadable) lines.push(`${safeLine(id)} cannot be read: ${safeLine(problem)}`);
  return lines.join("\n");
}

function showSteps({ counts }: RunSummary): string {
  const { steps, done, failed, skipped, inFlight } = counts;
  const parts = [`${done}/${steps} done`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (skipped > 0) parts.push(`${skipped} skipped`);
  if (inFlight > 0) parts.push(`${inFlight} in flight`);
  return parts.join(", ");
}

/** Of one that nothing was begun of: what it would do. Of one that is under way: what is done now, and nothing as if it had ended. */
export function renderRun(run: RunDocument, plan: Plan, options: { readonly colour: boolean } & RunsPlace): string {
  const commit = run.commit === null ? "" : `, commit ${run.commit.slice(0, 12)}`;
  return [
    `Run ${safeLine(run.id)} is ${run.status}: ${showSteps(run)}.`,
    `fleet ${safeLine(run.fleet)}, from ${safeLine(run.source)}${commit}; plan ${run.planId}; begun at ${run.begunAt}`,
    ...answersOf(run),
    "",
    NOT_BEGUN.has(run.status)
      ? renderPlan(plan, { colour: options.colour, verbose: false, next: null })
      : UNDER_WAY.has(run.status)
        ? renderUnderWay(run.report, options)
        : renderApplyReport(run.report, options),
    ...renderNext(run, options).map((line) => `\n${line}`),
  ].join("\n");
}

const NOT_BEGUN: ReadonlySet<RunStatus> = new Set(["waiting", "approved", "refused", "replaced"]);

const UNDER_WAY: ReadonlySet<RunStatus> = new Set(["running", "pausing", "aborting"]);

function answersOf({ revision, approvedBy, reason }: RunSummary): string[] {
  const lines: string[] = [];
  if (revision !== undefined) lines.push(`asked for the revision ${safeLine(revision)}`);
  if (approvedBy !== undefined) lines.push(`approved by ${safeLine(approvedBy)}`);
  if (reason !== undefined) lines.push(`because: ${safeLine(reason)}`);
  return lines;
}

/** What there is to be done about it; empty: it is over. */
export function renderNext(
  { id, status, by }: Pick<RunSummary, "id" | "status" | "by">,
  { place }: RunsPlace,
): string[] {
  const said = SAID[status];
  return said === null ? [] : [said(safeLine(id), safeLine(by), place === "" ? "" : ` ${safeLine(place)}`)];
}

const SAID: Readonly<Record<RunStatus, ((id: string, by: string, at: string) => string) | null>> = {
  waiting: (id, _, at) =>
    `${id} waits for an approval: odorobo runs show ${id}${at} shows what it would do, runs approve has it done, runs refuse does not.`,
  approved: (id, _, at) =>
    `${id} is approved: whoever asked carries it out, or the next odorobo watch or gateway; odorobo runs abort ${id}${at} ends it.`,
  running: (id, _, at) =>
    `It is being executed: odorobo runs attach ${id}${at} looks on, runs pause and runs abort stop it.`,
  pausing: (id, by, at) =>
    `It is being paused by ${by}: what is in flight ends. odorobo runs resume ${id}${at} carries it on.`,
  paused: (id, by, at) =>
    `The run is paused (${by}): odorobo runs resume ${id}${at} carries it on, odorobo runs abort ${id}${at} ends it.`,
  aborting: (_, by) => `It is being aborted by ${by}: what is in flight ends, nothing else begins.`,
  stranded: (id, _, at) =>
    `Nobody executes it: odorobo runs attach ${id}${at} carries it on, odorobo runs abort ${id}${at} ends it.`,
  aborted: (_, by) => `The run was aborted (${by}): what had not begun never begins.`,
  refused: (_, by) => `It was turned down (${by}): nothing of it was begun.`,
  replaced: () => "It is asked for no longer: nothing of it was begun.",
  done: null,
  failed: null,
};
