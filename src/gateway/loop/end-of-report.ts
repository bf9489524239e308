/** What the report of an apply comes to, in the loop's words. */
import type { ApplyReport } from "../../apply/apply-report.ts";
import { ERROR_CODES } from "../../model/errors.ts";
import type { ApplyEnd } from "./parts.ts";

/** `by`: who stopped it, should somebody have. */
export function endOfReport(report: ApplyReport, by: string): Omit<ApplyEnd, "run"> {
  const open = report.steps.filter(({ outcome }) => outcome !== "done");
  const undone = [...new Set(open.map(({ vm }) => vm))];
  if (report.outcome === "interrupted") {
    return { outcome: "stopped", undone, because: { code: "INTERRUPTED", message: `it was stopped by ${by}` } };
  }
  if (undone.length === 0) return { outcome: "done", undone, because: null };
  const error = open.find((step) => step.error !== null)?.error ?? null;
  const isStale = error !== null && ERROR_CODES[error.code].exit === 5 && report.counts.done === 0;
  if (isStale) return { outcome: "stale", undone, because: null };
  const skipped = open.find(({ skippedBecause }) => skippedBecause !== null)?.skippedBecause;
  return {
    outcome: "failed",
    undone,
    because: error ?? { code: null, message: skipped ?? "not all of it was done" },
  };
}
