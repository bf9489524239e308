/** Runs for people: the list, one of them, and what may be done with one that is not over. */
import type { RunStatus } from "../run/state.ts";
import { renderApplyReport } from "./apply-text.ts";
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

export function renderRuns({ runs, unreadable }: RunList, options: TableOptions): string {
  const lines = runs.length === 0 ? ["No runs."] : [renderTable(COLUMNS, runs, options)];
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

export function renderRun(run: RunDocument, options: { readonly colour: boolean }): string {
  const commit = run.commit === null ? "" : `, commit ${run.commit.slice(0, 12)}`;
  return [
    `Run ${safeLine(run.id)} is ${run.status}: ${showSteps(run)}.`,
    `fleet ${safeLine(run.fleet)}, from ${safeLine(run.source)}${commit}; plan ${run.planId}; begun at ${run.begunAt}`,
    "",
    renderApplyReport(run.report, options),
    ...renderNext(run).map((line) => `\n${line}`),
  ].join("\n");
}

/** What there is to be done about it; empty: it is over. */
export function renderNext({ id, status, by }: Pick<RunSummary, "id" | "status" | "by">): string[] {
  const said = SAID[status];
  return said === null ? [] : [said(safeLine(id), safeLine(by))];
}

const SAID: Readonly<Record<RunStatus, ((id: string, by: string) => string) | null>> = {
  running: (id) => `It is being executed: odorobo runs attach ${id} looks on, runs pause and runs abort stop it.`,
  pausing: (id, by) => `It is being paused by ${by}: what is in flight ends. odorobo runs resume ${id} carries it on.`,
  paused: (id, by) =>
    `The run is paused (${by}): odorobo runs resume ${id} carries it on, odorobo runs abort ${id} ends it.`,
  aborting: (_, by) => `It is being aborted by ${by}: what is in flight ends, nothing else begins.`,
  stranded: (id) => `Nobody executes it: odorobo runs attach ${id} carries it on, odorobo runs abort ${id} ends it.`,
  aborted: (_, by) => `The run was aborted (${by}): what had not begun never begins.`,
  done: null,
  failed: null,
};
