/** What holds for every DAG, every timing, every failure and every moment of Ctrl-C. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ApplyEvent, ApplyReport } from "../../src/apply/apply-report.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import type { Step } from "../../src/schedule/step.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal } from "../support/an-apply.ts";

interface AnyStep {
  readonly node: string;
  readonly after: readonly number[];
  readonly milliseconds: number;
  readonly fails: boolean;
  readonly losesAnswers: number;
}

interface AnyRun {
  readonly steps: readonly AnyStep[];
  readonly total: number;
  readonly perNode: number;
  readonly interruptAt: number | null;
  readonly giveUpAt: number | null;
}

const NODES = ["n1", "n2", "n3"];

const anyStep: fc.Arbitrary<AnyStep> = fc.record({
  node: fc.constantFrom(...NODES),
  after: fc.array(fc.nat(30), { maxLength: 3 }),
  milliseconds: fc.nat(30),
  fails: fc.nat(9).map((n) => n === 0),
  losesAnswers: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2),
});

const anyRun = (cancel: fc.Arbitrary<number | null>): fc.Arbitrary<AnyRun> =>
  fc.record({
    steps: fc.array(anyStep, { maxLength: 24, size: "max" }),
    total: fc.integer({ min: 1, max: 8 }),
    perNode: fc.integer({ min: 1, max: 4 }),
    interruptAt: cancel,
    giveUpAt: cancel,
  });

const never = fc.constant(null);
const sometime = fc.option(fc.nat(200), { freq: 3 });

const nameOf = (number: number): string => `createVm-v${number}`;

/** Each step creates a VM of its own, after some of the earlier ones. */
function planOf({ steps }: AnyRun): Plan {
  const plan = aRunnablePlan();
  for (const [number, { node, after }] of steps.entries()) {
    const earlier = number === 0 ? [] : [...new Set(after.map((each) => nameOf(each % number)))];
    plan.step("createVm", `v${number}`, node, { after: earlier });
  }
  return plan.build();
}

interface Outcome {
  readonly plan: Plan;
  readonly report: ApplyReport;
  readonly events: readonly ApplyEvent[];
  readonly rehearsal: Rehearsal;
}

async function carryOut(run: AnyRun): Promise<Outcome> {
  const rehearsal = new Rehearsal(...NODES);
  const { time } = rehearsal;
  const forever = new AbortController().signal;
  rehearsal.fleet.behave(({ id, times }) => {
    const step = run.steps[Number(id.slice(nameOf(0).length - 1))] as AnyStep;
    return {
      during: time.sleep(step.milliseconds, forever),
      losesAnswer: times <= step.losesAnswers,
      ...(step.fails ? { fail: { code: "HYPERVISOR_FAILED", message: "told to" } as const } : {}),
    };
  });
  if (run.interruptAt !== null) time.after(run.interruptAt, () => rehearsal.interrupt.abort());
  if (run.giveUpAt !== null) time.after(run.giveUpAt, () => rehearsal.giveUp.abort());
  const plan = planOf(run);
  const report = await rehearsal.apply(plan, { limits: { total: run.total, perNode: run.perNode } });
  return { plan, report, events: rehearsal.events, rehearsal };
}

const hold = (anything: fc.Arbitrary<AnyRun>, check: (run: AnyRun, outcome: Outcome) => void | Promise<void>) =>
  fc.assert(
    fc.asyncProperty(anything, async (run) => check(run, await carryOut(run))),
    { numRuns: 1000 },
  );

/** Walks the events as they came, with what was known at each. */
function replay({ plan, events }: Outcome, visit: (event: ApplyEvent, known: Known) => void): void {
  const known: Known = { begun: new Set(), ended: new Map(), inFlight: new Set() };
  for (const event of events) {
    visit(event, known);
    if (event.event === "step-started") {
      known.begun.add(event.id);
      known.inFlight.add(stepOf(plan, event.id));
    }
    if (event.event === "step-ended") {
      known.ended.set(event.report.id, event.report.outcome);
      known.inFlight.delete(stepOf(plan, event.report.id));
    }
  }
}

interface Known {
  readonly begun: Set<string>;
  readonly ended: Map<string, string>;
  readonly inFlight: Set<Step>;
}

const stepOf = (plan: Plan, id: string): Step => plan.steps.find((step) => step.id === id)!;

const mayStart = (step: Step, { begun, ended, inFlight }: Known, run: AnyRun): boolean =>
  !begun.has(step.id) &&
  !ended.has(step.id) &&
  step.after.every((id) => ended.get(id) === "done") &&
  inFlight.size < run.total &&
  [...inFlight].filter((each) => each.node === step.node).length < run.perNode;

describe("of 1,000 random runs", () => {
  test("a step starts only after all that it waits for, within the limits, and the first that may comes first", () =>
    hold(anyRun(sometime), (run, outcome) => {
      replay(outcome, (event, known) => {
        if (event.event !== "step-started") return;
        const first = outcome.plan.steps.find((step) => mayStart(step, known, run));
        expect(event.id).toBe(first?.id);
      });
    }));

  test("no time passes while a step could start", () =>
    hold(anyRun(never), (run, outcome) => {
      let at: string | undefined;
      replay(outcome, (event, known) => {
        if (event.event === "ended") return;
        const waiting = outcome.plan.steps.find((step) => mayStart(step, known, run));
        if (at !== undefined && event.at !== at) expect(waiting?.id).toBeUndefined();
        at = event.at;
      });
    }));

  test("every step ends once, and the report says what the events said", () =>
    hold(anyRun(sometime), (_run, { plan, report, events }) => {
      const ended = events.flatMap((event) => (event.event === "step-ended" ? [event.report] : []));
      const inPlanOrder = plan.steps.map((step) => ended.find((each) => each.id === step.id));
      expect(ended).toHaveLength(plan.steps.length);
      expect(report.steps).toEqual(inPlanOrder);
      expect(events.at(0)).toEqual({ event: "started", at: report.startedAt, steps: plan.steps.length });
      expect(events.at(-1)).toEqual({ event: "ended", report });
      expect(report.counts.done + report.counts.failed + report.counts.skipped).toBe(plan.steps.length);
    }));

  test("a failure takes down exactly what waits for it", () =>
    hold(anyRun(never), (run, { plan, report }) => {
      const expected = new Map<string, string>();
      for (const [number, step] of plan.steps.entries()) {
        const lost = step.after.some((id) => expected.get(id) !== "done");
        expected.set(step.id, lost ? "skipped" : run.steps[number]!.fails ? "failed" : "done");
      }
      expect(new Map(report.steps.map((step) => [step.id, step.outcome]))).toEqual(expected);
      for (const step of report.steps) {
        if (step.outcome !== "skipped") continue;
        const culprit = report.steps.find((each) => `${each.title} failed` === step.skippedBecause)!;
        expect(culprit.outcome).toBe("failed");
        expect(ancestorsOf(plan, step.id)).toContain(culprit.id);
      }
    }));

  test("after Ctrl-C nothing begins, and all that had begun is waited for", () =>
    hold(anyRun(fc.nat(200)), async (run, outcome) => {
      const { report, rehearsal } = outcome;
      let interrupting = false;
      replay(outcome, (event, { inFlight }) => {
        if (event.event === "interrupting") {
          expect(event.inFlight).toBe(inFlight.size);
          interrupting = true;
        }
        if (interrupting) expect(event.event).not.toBe("step-started");
        if (event.event === "ended") expect(inFlight.size).toBe(0);
      });
      const asked = new Set(NODES.flatMap((node) => rehearsal.fleet.on(node).calls.map((call) => call.id)));
      const notTried = report.steps.filter((step) => step.outcome === "skipped");
      for (const step of notTried) expect(asked.has(step.id)).toBe(false);
      const cut = notTried.some((step) => step.skippedBecause === "interrupted");
      const notWaited = report.steps.filter((step) => step.error?.code === "OPERATION_INTERRUPTED");
      if (!rehearsal.giveUp.signal.aborted) expect(notWaited).toEqual([]);
      if (cut || notWaited.length > 0) expect(report.outcome).toBe("interrupted");
      else
        expect(report.outcome).toBe(
          run.steps.some((_, n) => report.steps[n]?.outcome === "failed") ? "failed" : "done",
        );
    }));

  test("whatever was lost on the way, no act was done twice", () =>
    hold(anyRun(sometime), (_run, { rehearsal }) => {
      const { story, broken } = rehearsal.fleet;
      expect(new Set(story).size).toBe(story.length);
      expect(broken).toEqual([]);
    }));

  test("the same plan with the same timing tells the same story", () =>
    hold(anyRun(sometime), async (run, first) => {
      const second = await carryOut(run);
      expect(second.events).toEqual(first.events);
    }));
});

function ancestorsOf(plan: Plan, id: string): Set<string> {
  const found = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const each of stepOf(plan, next).after) {
      if (!found.has(each)) open.push(each);
      found.add(each);
    }
  }
  return found;
}
