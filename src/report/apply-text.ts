/** What an apply did, for people: the count, what failed and what to do, what was not tried and why. */
import type { ApplyReport, StepReport } from "../apply/apply-report.ts";
import { paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { showMilliseconds } from "./words/values.ts";

export function renderApplyReport(report: ApplyReport, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const took = showMilliseconds(Date.parse(report.endedAt) - Date.parse(report.startedAt));
  const { done, failed, skipped } = report.counts;
  const counts = `${done} done, ${failed} failed, ${skipped} skipped in ${took}`;
  const isWhole = report.outcome === "done" && skipped === 0;
  const title = report.outcome === "done" && !isWhole ? TITLES.failed : TITLES[report.outcome];
  const lines = [paint(isWhole ? "green" : "red", `${title}: ${counts}.`)];
  for (const step of report.steps) {
    for (const warning of step.warnings ?? []) lines.push(`  ${paint("yellow", "warning")} ${safeLine(warning)}`);
    if (step.outcome !== "failed") continue;
    lines.push(
      `  ${paint("red", "failed ")} ${safeLine(step.title)}: ${safeLine(step.error?.message ?? "")} (${step.error?.code ?? "?"})`,
    );
    if (step.error?.hint !== undefined) lines.push(`          ${paint("cyan", "hint:")} ${safeLine(step.error.hint)}`);
  }
  lines.push(...skippedByReason(report.steps).map((line) => `  ${paint("yellow", "skipped")} ${line}`));
  if (!isWhole) lines.push("What was done stays done. odorobo plan shows what is left; apply carries on from there.");
  return lines.join("\n");
}

/**
 * What a run is at that somebody executes. Its report says what would be if it ended now: what is in flight counts as not waited for
 * there, which nobody should read as a failure while it goes on.
 */
export function renderUnderWay(report: ApplyReport, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const lines = report.steps.flatMap(({ outcome, error, title }) => {
    if (outcome !== "failed") return [];
    if (error?.code === "OPERATION_INTERRUPTED") return [`  now     ${safeLine(title)}`];
    return [
      `  ${paint("red", "failed ")} ${safeLine(title)}: ${safeLine(error?.message ?? "")} (${error?.code ?? "?"})`,
    ];
  });
  return ["Under way.", ...lines].join("\n");
}

const TITLES = { done: "Applied", failed: "Applied in part", interrupted: "Interrupted" } as const;

/** Hundreds of steps may wait for one that failed: one line for each reason. */
function skippedByReason(steps: readonly StepReport[]): string[] {
  const titles = new Map<string, string[]>();
  for (const step of steps) {
    if (step.outcome !== "skipped") continue;
    const because = step.skippedBecause ?? "";
    const known = titles.get(because);
    if (known) known.push(step.title);
    else titles.set(because, [step.title]);
  }
  return [...titles].map(([because, all]) => {
    const first = safeLine(all[0] ?? "");
    return `${all.length === 1 ? first : `${first} and ${all.length - 1} more`}: ${safeLine(because)}`;
  });
}
