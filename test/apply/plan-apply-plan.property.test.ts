/** Plan, apply, plan: over the agent's own rules, in any order that the timing makes of the DAG, the second plan is empty. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { RehearsedFleet } from "../../src/agent/rehearsal/rehearsed-fleet.ts";
import { apply } from "../../src/apply/apply.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { VirtualTime } from "../../src/platform/virtual-time.ts";
import { TEST_MOVES } from "../support/an-apply.ts";
import { type AnyWorld, anyWorld, planFor } from "../support/any-world.ts";

const never = new AbortController().signal;

interface Run {
  readonly plan: Plan;
  readonly fleet: RehearsedFleet;
  readonly time: VirtualTime;
}

const begin = ({ fleet, world, allowances }: AnyWorld): Run => {
  const time = new VirtualTime();
  const observed = world.observed();
  return { plan: planFor(fleet.desired(), observed, allowances), fleet: new RehearsedFleet(observed, time), time };
};

const carryOut = ({ plan, fleet, time }: Run, signal: AbortSignal = never) =>
  time.until(
    apply(plan, fleet.agent, {
      files: new Map(),
      ...TEST_MOVES,
      limits: { total: 4, perNode: 2 },
      clock: time,
      sleep: time.sleep,
      signal,
    }),
  );

const anyTimes = fc.array(fc.nat(20), { minLength: 1, maxLength: 12 });

/** Every act takes its time, and some first answers are lost. */
const slowly = (run: Run, milliseconds: readonly number[]): void => {
  let calls = 0;
  run.fleet.behave(({ times }) => {
    const takes = milliseconds[calls++ % milliseconds.length] as number;
    return { during: run.time.sleep(takes, never), losesAnswer: times === 1 && takes % 7 === 0 };
  });
};

test("of 1,000 random worlds, the plan after the apply has no steps, and no promise was broken on the way", async () => {
  let done = 0;
  await fc.assert(
    fc.asyncProperty(anyWorld, anyTimes, async (world, times) => {
      const run = begin(world);
      if (run.plan.refusals.length > 0) return;
      slowly(run, times);
      const already = run.fleet.broken.length;
      const report = await carryOut(run);
      expect(report.steps.filter((step) => step.outcome !== "done")).toEqual([]);
      expect(run.fleet.broken.slice(already)).toEqual([]);
      done += report.counts.done;
      const again = planFor(world.fleet.desired(), run.fleet.observe(), world.allowances);
      // What had to wait for room may go on now, and one that is smaller, or runs, only now may move for it; what else was touched
      // must be as it should be.
      const lacking = new Set<string>(run.plan.blocked.map(({ name }) => name));
      const helps = new Set(
        again.changes.flatMap(({ name, reasons }) =>
          lacking.size > 0 && reasons.every(({ because }) => because === "placement") ? [name] : [],
        ),
      );
      const touched = new Set(run.plan.steps.flatMap(({ vm }) => (lacking.has(vm) || helps.has(vm) ? [] : [vm])));
      expect(again.steps.filter((step) => touched.has(step.vm))).toEqual([]);
      if (run.plan.blocked.length === 0) expect(again.steps).toEqual([]);
    }),
    { numRuns: 1000 },
  );
  expect(done).toBeGreaterThan(500);
});

test("of 1,000 random worlds, an interrupted apply loses nothing: the next plan and apply finish the job", async () => {
  await fc.assert(
    fc.asyncProperty(anyWorld, anyTimes, fc.nat(40), async (world, times, stopAt) => {
      const run = begin(world);
      if (run.plan.refusals.length > 0) return;
      slowly(run, times);
      const interrupt = new AbortController();
      run.time.after(stopAt, () => interrupt.abort());
      await carryOut(run, interrupt.signal);
      const second = planFor(world.fleet.desired(), run.fleet.observe(), world.allowances);
      if (second.refusals.length > 0) return;
      const report = await carryOut({ ...run, plan: second });
      expect(report.steps.filter((step) => step.outcome !== "done")).toEqual([]);
      expect(run.fleet.broken).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});
