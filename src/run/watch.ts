/** Events of a journal as whoever executes the run sees them: so that who only looks on sees the same. Pure. */
import type { ApplyEvent } from "../apply/apply-report.ts";
import type { Plan } from "../plan/plan-document.ts";
import { describeStep } from "../schedule/step.ts";
import type { RunEvent } from "./journal.ts";
import { toEnded } from "./resume.ts";

/** Null: nothing that one sees of an apply. */
export function toApplyEvent(plan: Plan): (event: RunEvent) => ApplyEvent | null {
  const steps = new Map(plan.steps.map((step) => [step.id, step]));
  return (event) => {
    const { at } = event;
    if (event.event === "begun") return { event: "started", at, steps: event.steps };
    const step = "step" in event ? steps.get(event.step) : undefined;
    if (step === undefined) return null;
    switch (event.event) {
      case "step-started":
        return { event: "step-started", at, id: step.id, title: describeStep(step) };
      case "step-succeeded":
      case "step-failed":
      case "step-skipped":
        return { event: "step-ended", at, report: toEnded(step, event).report };
      default:
        return null;
    }
  };
}

/** Passes on what was not seen before: who first looks on and then takes over is told everything twice. */
export function onlyNews(show: (event: ApplyEvent) => void): (event: ApplyEvent) => void {
  const seen = new Set<string>();
  return (event) => {
    const key = event.event === "step-ended" ? event.report.id : event.event;
    if (event.event === "started" || event.event === "step-ended") {
      if (seen.has(key)) return;
      seen.add(key);
    }
    if (event.event === "step-started" && seen.has(event.id)) return;
    show(event);
  };
}
