/** Exit codes of plans and applies. Of several, the one that a pipeline must not overlook wins: 3 over 4 over 2. */
import type { ApplyReport } from "../../apply/apply-report.ts";
import { ERROR_CODES, type ExitCode } from "../../model/errors.ts";
import type { Plan } from "../../plan/plan-document.ts";

export function planExitCode(plan: Plan, { detailed }: { readonly detailed: boolean }): ExitCode {
  if (plan.refusals.length > 0 || plan.blocked.length > 0) return 3;
  if (plan.unknown.length > 0) return 4;
  return detailed && plan.changes.length + (plan.waiting ?? []).length > 0 ? 2 : 0;
}

/** A run that failed only because others were faster is stale, not broken. */
export function applyExitCode(plan: Plan, report: ApplyReport): ExitCode {
  if (report.outcome === "interrupted") return 130;
  if (report.outcome === "failed") {
    const codes = new Set(
      report.steps.flatMap((step) => (step.error === null ? [] : [ERROR_CODES[step.error.code].exit])),
    );
    return codes.size === 1 && codes.has(5) ? 5 : 1;
  }
  // Nothing failed: what was skipped came too late for its window.
  if (report.counts.skipped > 0) return 3;
  return planExitCode(plan, { detailed: false });
}
