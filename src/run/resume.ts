/** Where a run stands, in the words of `apply/`: what is behind it, what it left, and the report so far. Pure. */
import type { ApplyReport, EndedStep, StepReport } from "../apply/apply-report.ts";
import { notWaitedFor } from "../apply/explain-failure.ts";
import type { SeenVm } from "../model/changes.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { Plan } from "../plan/plan-document.ts";
import { describeStep, isOfVm, type Step } from "../schedule/step.ts";
import type { RunEvent } from "./journal.ts";
import type { RunState, StepEnded } from "./state.ts";

/** In the order in which they ended. Steps in flight are open: they are asked for again, by the same id. */
export function endedSteps(plan: Plan, state: RunState): EndedStep[] {
  const steps = new Map(plan.steps.map((step) => [step.id, step]));
  const ended: EndedStep[] = [];
  for (const [id, progress] of state.steps) {
    const step = steps.get(id);
    if (step !== undefined && progress.kind === "ended") ended.push(toEnded(step, progress.event));
  }
  return ended;
}

/** Begun and not known to have ended: an agent may be at it, or have done it. */
export const stepsInFlight = ({ steps }: RunState): ReadonlySet<string> =>
  new Set([...steps].flatMap(([id, { kind }]) => (kind === "in-flight" ? [id] : [])));

export function toEnded(step: Step, event: StepEnded): EndedStep {
  const left = event.event === "step-succeeded" ? event.left : null;
  return { left, report: { ...unbegun(step), ...fieldsOf(event) } };
}

function fieldsOf(event: StepEnded): Partial<StepReport> & Pick<StepReport, "outcome"> {
  switch (event.event) {
    case "step-succeeded": {
      const { noop, attempts, milliseconds, warnings } = event;
      return { outcome: "done", noop, attempts, milliseconds, ...(warnings === undefined ? {} : { warnings }) };
    }
    case "step-failed":
      return {
        outcome: "failed",
        error: event.error,
        attempts: event.attempts,
        milliseconds: event.milliseconds,
      };
    case "step-skipped":
      return { outcome: "skipped", skippedBecause: event.skippedBecause };
  }
}

export function toEvent({ report, left }: EndedStep, at: RunEvent["at"]): StepEnded {
  const { id: step, noop, attempts, milliseconds, error, skippedBecause, warnings } = report;
  switch (report.outcome) {
    case "done":
      return {
        ...{ event: "step-succeeded", at, step, noop, attempts, milliseconds, left },
        ...(warnings === undefined ? {} : { warnings }),
      };
    case "failed":
      return { event: "step-failed", at, step, error, attempts, milliseconds };
    case "skipped":
      return { event: "step-skipped", at, step, skippedBecause };
  }
}

const unbegun = (step: Step): Omit<StepReport, "outcome"> => ({
  id: step.id,
  kind: step.kind,
  vm: step.vm,
  node: step.node,
  title: describeStep(step),
  noop: false,
  attempts: 0,
  milliseconds: 0,
  error: null,
  skippedBecause: null,
});

/** What the run has come to: of one that has ended, for good. What is open counts as skipped, what is in flight as not waited for. */
export function reportOf(plan: Plan, state: RunState): ApplyReport {
  const why = whyOpen(state);
  let isCutShort = false;
  const counts = { done: 0, failed: 0, skipped: 0 };
  const steps = plan.steps.map((step): StepReport => {
    const progress = state.steps.get(step.id);
    const report =
      progress?.kind === "ended"
        ? toEnded(step, progress.event).report
        : progress?.kind === "in-flight"
          ? { ...unbegun(step), ...inFlight(step, progress.since, state) }
          : { ...unbegun(step), outcome: "skipped" as const, skippedBecause: why };
    isCutShort ||= progress?.kind !== "ended";
    counts[report.outcome]++;
    return report;
  });
  return {
    kind: "ApplyReport",
    version: 1,
    planId: plan.id,
    run: state.begun.run,
    startedAt: state.begun.at,
    endedAt: state.at,
    outcome: isCutShort ? "interrupted" : counts.failed > 0 ? "failed" : "done",
    counts,
    steps,
  };
}

function whyOpen({ wish, outcome }: RunState): string {
  if (outcome === "refused" || outcome === "replaced") return outcome;
  return ({ ask: "waits for an approval", run: "interrupted", pause: "interrupted", abort: "aborted" } as const)[wish];
}

const inFlight = (step: Step, since: RunState["at"], { at }: RunState) => ({
  outcome: "failed" as const,
  error: notWaitedFor(step),
  attempts: 1,
  milliseconds: Math.max(0, Date.parse(at) - Date.parse(since)),
});

/** What a VM of which steps are still open should be like before they go on. */
export interface ExpectedVm {
  readonly seen: SeenVm | null;
  /** Where it may be as well: a step that may have been done, or not, takes it there. Empty: nothing is in doubt. */
  readonly orOn: readonly NodeName[];
}

export function expectedVms(plan: Plan, state: RunState): ReadonlyMap<VmName, ExpectedVm> {
  const expected = new Map<VmName, ExpectedVm>();
  for (const [vm, steps] of Map.groupBy(plan.steps.filter(isOfVm), (step) => step.vm)) {
    let seen = plan.base.vms[vm] ?? null;
    const orOn: NodeName[] = [];
    let isOpen = false;
    for (const step of steps) {
      const progress = state.steps.get(step.id);
      if (progress?.kind !== "ended") isOpen = true;
      if (progress?.kind === "in-flight") orOn.push(step.node);
      if (progress?.kind !== "ended" || progress.event.event !== "step-succeeded") continue;
      const { left } = progress.event;
      seen = left === null ? null : { node: step.node, ...left };
    }
    if (isOpen) expected.set(vm, { seen, orOn });
  }
  return expected;
}
