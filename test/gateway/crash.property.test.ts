/**
 * The loop killed at any moment, also between a decision and what it does about it, and between what it did and hearing of it: the next one
 * has the state that was kept and the runs as they stand, and nothing else.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { findStateError } from "../../src/gateway/loop/memory-shape.ts";
import { decide, whyVoid } from "../../src/gateway/revision/decide.ts";
import { allows } from "../../src/gateway/revision/judge.ts";
import {
  type Act,
  awakened,
  type LoopEvent,
  type LoopState,
  NOTHING_SEEN,
  wakeAt,
} from "../../src/gateway/revision/loop-state.ts";
import type { ChangeFacts, PlanFacts } from "../../src/gateway/revision/plan-facts.ts";
import { DEFAULT_GATEWAY_POLICY, type GatewayPolicy } from "../../src/model/desired-state.ts";
import { type Digest, instant, vmName } from "../../src/model/names.ts";

interface Run {
  readonly plan: PlanFacts;
  readonly revision: string;
  readonly asks: boolean;
  approvedBy: string | null;
  begun: number;
  outcome: "done" | "failed" | "stale" | "refused" | "replaced" | null;
}

const anyMove = fc.oneof(
  { arbitrary: fc.record({ move: fc.constant("perform" as const), which: fc.nat(5), fate: fc.nat(9) }), weight: 12 },
  { arbitrary: fc.record({ move: fc.constant("save" as const), says: fc.nat(4) }), weight: 3 },
  {
    arbitrary: fc.record({ move: fc.constantFrom("approve" as const, "refuse" as const), which: fc.nat(3) }),
    weight: 4,
  },
  { arbitrary: fc.record({ move: fc.constant("look" as const) }), weight: 1 },
  /** `done`: how much of each open act was done when it came. */
  { arbitrary: fc.record({ move: fc.constant("crash" as const), done: fc.nat(2), down: fc.boolean() }), weight: 3 },
  { arbitrary: fc.record({ move: fc.constant("clock" as const), hours: fc.constantFrom(-1, 24) }), weight: 1 },
);
type Move = typeof anyMove extends fc.Arbitrary<infer Value> ? Value : never;

const POLICY: GatewayPolicy = { ...DEFAULT_GATEWAY_POLICY, approve: ["reboot", "destroy"] };
const NOTHING = { refusals: [], blocked: [], unknown: [], awaited: [], opens: null };
const CLASSES = ["live", "reboot", "destroy"] as const;

class World {
  state: LoopState = NOTHING_SEEN;
  readonly runs = new Map<string, Run>();
  readonly open: Act[] = [];
  readonly #contents = new Map<string, number>();
  /** What a VM is like; of what the last good revision says. */
  #applied = new Map<string, number>();
  #now = Date.parse("2026-11-28T12:00:00.000Z");
  #plans = 0;
  isDown = false;
  #isNew = false;
  readonly voided: string[] = [];

  post(event: LoopEvent) {
    this.#now += 1;
    const { state, acts } = decide(this.state, [event], {}, instant(new Date(this.#now).toISOString()));
    // As it is read from the file.
    this.state = JSON.parse(JSON.stringify(state)) as LoopState;
    expect(findStateError(this.state)).toBe(null);
    for (const act of acts) {
      if (act.act === "tell" && act.told.kind === "void") this.voided.push(act.told.plan);
      if (act.act !== "tell") this.open.push(act);
    }
    const applies = this.open.filter(({ act }) => act === "apply");
    expect(applies.length).toBeLessThanOrEqual(1);
  }
  /** `far`: 0 not at all, 1 half, 2 all but hearing of it. */
  crash(far: number) {
    for (const act of this.open.splice(0)) {
      if (act.act === "ask" && far > 0) this.#create(act.run, act, true);
      if (act.act === "withdraw" && far > 0) this.#withdraw(act);
      if (act.act === "apply" && far > 0) {
        const run = this.runs.get(act.run) ?? (this.#isNew ? null : this.#create(act.run, act, false));
        if (run === null || run.outcome !== null || (run.asks && run.approvedBy === null)) continue;
        this.#begin(run);
        if (far > 1) this.#end(run, "done");
      }
    }
    this.state = awakened(this.state);
    this.isDown = true;
  }
  start() {
    this.isDown = false;
    this.#isNew = true;
    this.post({ event: "taken-up" });
    this.#isNew = false;
    for (const act of this.open) this.#recalled.add(act);
    this.#abandon();
  }
  readonly #recalled = new Set<Act>();

  #abandon() {
    const { turn, asked } = this.state;
    const known = new Set([turn?.kind === "applying" ? turn.run : null, asked?.run]);
    for (const [id, run] of this.runs) if (run.outcome === null && !known.has(id)) run.outcome = "replaced";
  }
  #create(id: string, { plan, revision }: { plan: PlanFacts; revision: string }, asks: boolean): Run {
    const known = this.runs.get(id);
    if (known !== undefined) return known;
    const run: Run = { plan, revision, asks, approvedBy: null, begun: 0, outcome: null };
    this.runs.set(id, run);
    return run;
  }
  #begin(run: Run) {
    run.begun = 1;
    const others = [...this.runs.values()].filter((each) => each !== run && each.begun > 0 && each.outcome === null);
    expect(others, "two at once").toEqual([]);
    const asked = run.plan.changes.some((change) => allows(POLICY, change.class) === "ask");
    if (asked) expect(run.approvedBy).not.toBe(null);
  }
  #end(run: Run, outcome: "done" | "failed") {
    run.outcome = outcome;
    if (outcome === "done")
      for (const { name } of run.plan.changes) this.#applied.set(name, this.#contents.get(run.revision)!);
  }
  #withdraw({ run, outcome }: Extract<Act, { readonly act: "withdraw" }>) {
    const known = this.runs.get(run);
    if (known !== undefined && known.outcome === null) known.outcome = outcome;
  }

  perform(act: Act, fate: number) {
    // Whoever withdraws a run waits until it is there.
    const asks = act.act === "withdraw" && this.open.find((each) => each.act === "ask" && each.run === act.run);
    if (asks) this.perform(asks, fate);
    this.open.splice(this.open.indexOf(act), 1);
    if (act.act === "read") {
      const says = this.#contents.get(act.revision)!;
      const { revision } = act;
      if (says === 4)
        return this.post({ event: "unreadable", revision, because: { code: "MANIFEST_INVALID", message: "1" } });
      this.post({ event: "read", revision, digest: `d${says}` as Digest, policy: POLICY, isDoubtful: false });
    } else if (act.act === "plan") {
      const says = this.#contents.get(act.revision)!;
      const changes = ["a", "b"].flatMap((name, index): ChangeFacts[] =>
        this.#applied.get(name) === says || act.leaveOut.includes(vmName(name))
          ? []
          : [{ name: vmName(name), action: "update", class: CLASSES[(says + index) % 3]!, isDrift: false }],
      );
      const plan = {
        ...NOTHING,
        changes,
        id: `p${this.#plans++}`,
        substance: JSON.stringify([says, changes]) as Digest,
      };
      this.post({ event: "planned", revision: act.revision, plan, run: `run-${plan.id}` });
    } else if (act.act === "ask") this.#ask(act);
    else if (act.act === "withdraw") this.#withdraw(act);
    else if (act.act === "apply") this.#apply(act, fate);
  }
  #ask(act: Extract<Act, { readonly act: "ask" }>) {
    const about = { revision: act.revision, plan: act.plan.id };
    const known = this.runs.get(act.run);
    if (this.#recalled.has(act) && (known === undefined || known.outcome === "replaced"))
      return this.post({ event: "unasked", ...about });
    const run = this.#create(act.run, act, true);
    if (run.outcome === "refused") return this.post({ event: "decline", ...about, by: "bob" });
    if (run.approvedBy !== null) this.post({ event: "approve", ...about, by: run.approvedBy });
  }
  #apply(act: Extract<Act, { readonly act: "apply" }>, fate: number) {
    const { revision, plan } = act;
    const end = (outcome: "done" | "failed" | "stale", undone = plan.changes.map(({ name }) => name)) =>
      this.post({
        event: "ended",
        revision,
        plan: plan.id,
        run: act.run,
        outcome,
        undone: outcome === "done" ? [] : undone,
        because: null,
      });
    const known = this.runs.get(act.run);
    if (known === undefined && (this.#recalled.has(act) || act.approvedBy !== null)) return end("stale");
    const run = known ?? this.#create(act.run, act, false);
    if (run.outcome !== null) return end(run.outcome === "done" || run.outcome === "failed" ? run.outcome : "stale");
    if (run.begun === 0 && fate === 0) {
      run.outcome = "stale";
      return end("stale");
    }
    this.#begin(run);
    this.#end(run, fate === 1 ? "failed" : "done");
    end(run.outcome as unknown as "done" | "failed");
  }

  save(says: number) {
    const id = `r${this.#contents.size + 1}`;
    this.#contents.set(id, says);
    if (!this.isDown) this.post({ event: "seen", revision: id, what: "saved", commit: null });
  }
  /** By whoever may: at its run, whether the loop is there or not. */
  answer(kind: "approve" | "refuse", which: number) {
    const waiting = [...this.runs].filter(([, run]) => run.asks && run.outcome === null && run.approvedBy === null);
    const [, run] = waiting[which % Math.max(1, waiting.length)] ?? [];
    if (run === undefined) return;
    const about = { revision: run.revision, plan: run.plan.id };
    if (!this.isDown && whyVoid(this.state, about, {}) !== null) return;
    if (kind === "approve") run.approvedBy = "ada";
    else run.outcome = "refused";
    const isHeard = this.open.every((act) => act.act !== "ask" || act.plan.id !== run.plan.id);
    if (!this.isDown && isHeard) this.post({ event: kind === "approve" ? "approve" : "decline", ...about, by: "ada" });
  }
  clock(hours: number) {
    this.#now += hours * 3_600_000;
  }
  /** Everything is answered until nothing is left to be done. Returns how long that took by the loop's own waits. */
  rest(): number {
    let waited = 0;
    if (this.isDown) this.start();
    for (let turns = 0; ; turns++) {
      if (turns > 300) throw new Error(`it does not come to rest: ${JSON.stringify(this.state)}`);
      const [first] = this.open;
      if (first !== undefined) {
        this.perform(first, 9);
        continue;
      }
      const at = wakeAt(this.state);
      if (at === null) return waited;
      const rest = Math.max(1, Math.min(30_000, Date.parse(at) - this.#now));
      waited += rest;
      this.#now += rest;
      this.post({ event: "tick" });
    }
  }
}

function play(moves: readonly Move[]): { readonly world: World; readonly waited: number } {
  const world = new World();
  world.save(0);
  for (const move of moves) {
    if (
      world.isDown &&
      move.move !== "crash" &&
      move.move !== "approve" &&
      move.move !== "refuse" &&
      move.move !== "clock"
    )
      world.start();
    if (move.move === "perform") {
      const act = world.open[move.which % Math.max(1, world.open.length)];
      if (act !== undefined) world.perform(act, move.fate);
    } else if (move.move === "save") world.save(move.says);
    else if (move.move === "look") world.post({ event: "look", why: "drift" });
    else if (move.move === "clock") world.clock(move.hours);
    else if (move.move !== "crash") world.answer(move.move, move.which);
    else if (!world.isDown) {
      world.crash(move.done);
      if (!move.down) world.start();
    }
  }
  return { world, waited: world.rest() };
}

const check = (holds: (played: ReturnType<typeof play>) => void) =>
  fc.assert(
    fc.property(fc.array(anyMove, { maxLength: 60, size: "max" }), (moves) => holds(play(moves))),
    { numRuns: 250 },
  );

test("nothing runs twice or beside another, and nothing that is asked about without its own approval", () => {
  let begun = 0;
  check(({ world }) => {
    begun += [...world.runs.values()].filter((run) => run.begun > 0).length;
  });
  expect(begun).toBeGreaterThan(100);
});

test("no approval is lost: what was approved has run, or was told to be void, and nobody waits for ever", () => {
  let approved = 0;
  check(({ world }) => {
    for (const [id, run] of world.runs) {
      if (run.approvedBy !== null) {
        approved += 1;
        expect(run.outcome, `${id} was approved and is left`).not.toBe(null);
      }
      if (run.outcome === null) expect(id).toBe(world.state.asked?.run);
    }
  });
  expect(approved).toBeGreaterThan(50);
});

test("whatever the clock does, a pause is never longer than the longest pause", () => {
  check(({ world, waited }) => {
    // Each failure of a story waits once more.
    const failures = [...world.runs.values()].filter(({ outcome }) => outcome === "failed").length;
    expect(waited).toBeLessThanOrEqual((failures + 1) * 610_000);
  });
});
