/** Whoever executes a run, however often they are killed, paused or told to stop: nothing is done twice, nothing is lost. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ApplyReport } from "../../src/apply/apply-report.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { decide, endOf } from "../../src/run/decide.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { reportOf } from "../../src/run/resume.ts";
import { stateOf } from "../../src/run/state.ts";
import { NOON } from "../support/a-fleet.ts";
import { RunInMemory } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal } from "../support/an-apply.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";

const NODES = ["n1", "n2", "n3"];
const at = NOON;

interface AnyVm {
  readonly node: string;
  readonly after: readonly number[];
  readonly createMs: number;
  readonly bootMs: number;
  readonly fails: "create" | "boot" | null;
}

interface Fate {
  readonly at: number;
  readonly what: "kill" | "pause" | "abort";
}

const anyVm: fc.Arbitrary<AnyVm> = fc.record({
  node: fc.constantFrom(...NODES),
  after: fc.array(fc.nat(30), { maxLength: 2 }),
  createMs: fc.nat(30),
  bootMs: fc.nat(30),
  fails: fc.constantFrom(null, null, null, null, null, null, "create" as const, "boot" as const),
});

const anyRun = fc.record({
  vms: fc.array(anyVm, { minLength: 1, maxLength: 10 }),
  fates: fc.array(
    fc.record({
      at: fc.nat(80),
      what: fc.constantFrom("kill", "kill", "kill", "pause", "abort"),
    }) as fc.Arbitrary<Fate>,
    { maxLength: 4 },
  ),
  total: fc.integer({ min: 1, max: 6 }),
});
type AnyRun = typeof anyRun extends fc.Arbitrary<infer Run> ? Run : never;

/** Each VM is made and started, some after others run. */
function planOf(vms: readonly AnyVm[]): Plan {
  const plan = aRunnablePlan();
  for (const [number, { node, after }] of vms.entries()) {
    const earlier = number === 0 ? [] : [...new Set(after.map((each) => `bootVm-v${each % number}`))];
    plan.step("createVm", `v${number}`, node, { after: earlier });
    plan.step("bootVm", `v${number}`, node, { after: [`createVm-v${number}`] });
  }
  return plan.build();
}

function rehearse({ vms }: AnyRun): Rehearsal {
  const rehearsal = new Rehearsal(...NODES);
  const forever = new AbortController().signal;
  rehearsal.fleet.behave(({ vm, request }) => {
    const { createMs, bootMs, fails } = vms[Number(vm.slice(1))] as AnyVm;
    const isCreate = request.kind === "put";
    return {
      during: rehearsal.time.sleep(isCreate ? createMs : bootMs, forever),
      ...(fails === (isCreate ? "create" : "boot")
        ? { fail: { code: "HYPERVISOR_FAILED", message: "told to" } as const }
        : {}),
    };
  });
  return rehearsal;
}

interface Played {
  readonly run: RunInMemory;
  readonly rehearsal: Rehearsal;
  readonly report: ApplyReport;
}

/** One executor after the other, each with its fate; paused runs are resumed. The last one is left alone. */
async function play(any: AnyRun): Promise<Played> {
  const rehearsal = rehearse(any);
  const { time } = rehearsal;
  const run = new RunInMemory(planOf(any.vms), rehearsal, NODES, { limits: { total: any.total, perNode: 4 } });
  const fates = [...any.fates];
  for (let isFirst = true; run.state.outcome === null; isFirst = false) {
    const command = { kind: run.state.wish === "pause" ? "resume" : "attach", at: time.now(), by: "next" } as const;
    const decision = decide(run.state, command, "nobody");
    if (decision.next === "refuse") throw new Error(decision.message);
    if (!isFirst && "append" in decision) run.events.push(...decision.append);
    if (decision.next !== "execute") continue;
    const fate = fates.shift();
    const executor = run.execute();
    const died = Promise.withResolvers<void>();
    if (fate !== undefined)
      time.after(fate.at, () => {
        if (fate.what !== "kill") return executor.tell({ kind: fate.what, by: "somebody" });
        executor.kill();
        died.resolve();
      });
    await time.until(Promise.race([executor.ended, died.promise]));
  }
  return { run, rehearsal, report: reportOf(run.plan, run.state) };
}

/** Of several that failed before it, which one a step was skipped for is a question of time. */
const outcomes = ({ steps }: ApplyReport) =>
  steps.map(({ id, outcome, error, skippedBecause, noop }) => ({
    ...{ id, outcome, code: error?.code, noop },
    isSkippedForFailure: skippedBecause?.endsWith(" failed"),
  }));

test("a run that is killed, paused and carried on comes to what it would have come to, and does nothing twice", async () => {
  let resumed = 0;
  await fc.assert(
    fc.asyncProperty(anyRun, async (any) => {
      const { run, rehearsal, report } = await play(any);
      expect(rehearsal.fleet.broken).toEqual([]);
      expect(new Set(rehearsal.fleet.story).size).toBe(rehearsal.fleet.story.length);
      checkJournal(run.plan, run.events);
      resumed += run.events.filter(({ event }) => event === "taken-up" || event === "resumed").length;
      if (run.state.outcome === "aborted") return;
      const straight = rehearse(any);
      expect(outcomes(report)).toEqual(outcomes(await straight.apply(run.plan)));
      expect(report.outcome).toBe(run.state.outcome);
    }),
    { numRuns: 400 },
  );
  if (ENOUGH_DRAWS) expect(resumed).toBeGreaterThan(100);
});

/** Every moment of the journal keeps the rules. */
function checkJournal(plan: Plan, events: readonly RunEvent[]): void {
  const after = new Map(plan.steps.map((step) => [step.id, step.after]));
  const succeeded = new Set<string>();
  const ended = new Set<string>();
  let mayBegin = true;
  for (const event of events) {
    if (event.event === "paused" || event.event === "aborted") mayBegin = false;
    if (event.event === "resumed") mayBegin = true;
    if (event.event === "step-started") {
      expect(mayBegin, event.step).toBe(true);
      expect(ended.has(event.step), `${event.step} begins after its end`).toBe(false);
      for (const id of after.get(event.step) ?? []) expect(succeeded.has(id), `${event.step} before ${id}`).toBe(true);
    }
    if (event.event === "step-succeeded" || event.event === "step-failed" || event.event === "step-skipped") {
      expect(ended.has(event.step), `${event.step} ends twice`).toBe(false);
      ended.add(event.step);
    }
    if (event.event === "step-succeeded") succeeded.add(event.step);
  }
  expect(events.filter(({ event }) => event === "ended").length).toBe(1);
  expect(events.at(-1)?.event).toBe("ended");
}

const anyEvent: fc.Arbitrary<RunEvent> = fc.oneof(
  fc.constantFrom<RunEvent>(
    ...(["paused", "resumed", "aborted", "taken-up"] as const).map((event) => ({ event, at, by: "somebody" }) as const),
    { event: "ended", at, outcome: "aborted" },
  ),
  fc.nat(3).map((step): RunEvent => ({ event: "step-started", at, step: `createVm-v${step}` })),
  fc
    .nat(3)
    .map((step): RunEvent => ({ event: "step-skipped", at, step: `createVm-v${step}`, skippedBecause: "x failed" })),
);

test("what a newer odorobo adds to a journal changes nothing of what we know", () => {
  const plan = aRunnablePlan().step("createVm", "v0", "n1").build();
  const { events } = new RunInMemory(plan, new Rehearsal("n1"), ["n1"]);
  const started: RunEvent = { event: "step-started", at, step: "createVm-v0" };
  const news = { event: "step-progress", at, step: "createVm-v0", percent: 40 } as unknown as RunEvent;
  expect(stateOf([...events, started, news])).toEqual(stateOf([...events, started]));
  expect(stateOf([news, ...events])).toBeNull();
});

test("what is decided about any journal is allowed by it, and asked twice comes to the same", () => {
  const plan = aRunnablePlan().step("createVm", "v0", "n1").step("createVm", "v1", "n1").build();
  const [begun] = new RunInMemory(plan, new Rehearsal("n1"), ["n1"]).events as [RunEvent];
  const kinds = fc.constantFrom("attach" as const, "pause" as const, "resume" as const, "abort" as const);
  const executors = fc.constantFrom("self" as const, "other" as const, "nobody" as const);
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 12 }), kinds, executors, (events, kind, executor) => {
      const before = stateOf([begun, ...events])!;
      const decision = decide(before, { kind, at, by: "me" }, executor);
      if (decision.next === "execute") expect(executor).toBe("nobody");
      if (decision.next === "tell") expect(executor).toBe("other");
      if (!("append" in decision)) return;
      const after = stateOf([begun, ...events, ...decision.append])!;
      // Nothing is taken back.
      if (before.outcome !== null) expect(after.outcome).toBe(before.outcome);
      if (before.wish === "abort") expect(after.wish).toBe("abort");
      if (decision.next === "execute") expect(after).toMatchObject({ wish: "run", outcome: null });
      if (kind === "pause") expect(after.wish).not.toBe("run");
      if (kind === "abort")
        expect(after.outcome !== null || (executor === "self" && after.wish === "abort")).toBe(true);
      const again = decide(after, { kind, at, by: "me" }, executor);
      if (kind === "pause" || kind === "abort") expect("append" in again ? again.append : []).toEqual([]);
      // A run is over, or it can be: nothing hangs for ever.
      const aborted = decide(after, { kind: "abort", at, by: "me" }, "nobody");
      const last = stateOf([begun, ...events, ...decision.append, ...("append" in aborted ? aborted.append : [])])!;
      expect(last.outcome).not.toBeNull();
      expect(endOf(last, at)).toBeNull();
    }),
    { numRuns: 2000 },
  );
});
