/** The loop's decisions under anything that may happen: whatever comes in whatever order, what must never happen does not. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decide } from "../../src/gateway/revision/decide.ts";
import { allows } from "../../src/gateway/revision/judge.ts";
import {
  type Act,
  type LoopEvent,
  type LoopState,
  NOTHING_SEEN,
  wakeAt,
} from "../../src/gateway/revision/loop-state.ts";
import type { ChangeFacts, PlanFacts } from "../../src/gateway/revision/plan-facts.ts";
import { isFinal } from "../../src/gateway/revision/revision.ts";
import { CHANGE_CLASSES } from "../../src/model/change-class.ts";
import type { GatewayPolicy } from "../../src/model/desired-state.ts";
import { type Digest, instant, type VmName, vmName } from "../../src/model/names.ts";

const VMS = ["a", "b", "c"].map(vmName);

const anyPolicy: fc.Arbitrary<GatewayPolicy> = fc.record({
  auto: fc.constantFrom("none", "metadata", "live", "reboot", "destroy"),
  approve: fc.oneof(fc.constant(null), fc.subarray([...CHANGE_CLASSES].slice(1))),
  suspend: often(false, true),
  healDrift: fc.constantFrom("revert", "report", "off"),
});

const anyChange = (name: VmName): fc.Arbitrary<ChangeFacts> =>
  fc.record({
    name: fc.constant(name),
    action: fc.constantFrom("create", "boot", "update", "reboot", "destroy"),
    class: fc.constantFrom(...CHANGE_CLASSES.slice(1)),
    isDrift: fc.boolean(),
  });

const anyPlan: fc.Arbitrary<Omit<PlanFacts, "id" | "substance">> = fc.record({
  changes: fc
    .tuple(...VMS.map((name) => fc.option(anyChange(name))))
    .map((changes) => changes.filter((each) => each !== null)),
  refusals: often([], [{ code: "PLAN_REFUSED" as const, message: "too much", hint: "less" }]),
  blocked: often([], [{ name: vmName("z"), message: "no", hint: "yes" }]),
  unknown: often([], ["n2"]),
  awaited: often([], [vmName("w")]),
  opens: often(null, instant("2026-12-24T00:00:00.000Z")),
});

function often<Value>(usual: Value, rare: Value): fc.Arbitrary<Value> {
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 6 }, { arbitrary: fc.constant(rare), weight: 1 });
}

const ANSWERS = ["approve", "approve", "approve", "decline", "approve-other"] as const;

/** What happens next. Numbers choose among what there is at that moment. */
const anyMove = fc.oneof(
  {
    arbitrary: fc.record({ move: fc.constant("answer" as const), which: fc.nat(5), plan: anyPlan, fate: fc.nat(9) }),
    weight: 8,
  },
  {
    arbitrary: fc.record({
      move: fc.constant("save" as const),
      says: fc.nat(3),
      isBroken: fc.boolean(),
      policy: anyPolicy,
    }),
    weight: 3,
  },
  { arbitrary: fc.record({ move: fc.constant("look" as const) }), weight: 2 },
  {
    arbitrary: fc.record({ move: fc.constantFrom(...ANSWERS) }),
    weight: 6,
  },
  { arbitrary: fc.record({ move: fc.constant("wait" as const), seconds: fc.nat(1000) }), weight: 1 },
);
type Move = typeof anyMove extends fc.Arbitrary<infer Value> ? Value : never;

interface Story {
  readonly events: readonly LoopEvent[];
  readonly acts: readonly Act[];
  readonly states: readonly LoopState[];
  readonly policies: ReadonlyMap<string, GatewayPolicy>;
  readonly broken: ReadonlySet<string>;
  readonly doubtful: ReadonlySet<string>;
}

/** Plays the moves, then answers all that is open until nothing is asked any more. */
function play(moves: readonly Move[], said: Partial<GatewayPolicy>): Story {
  let state = NOTHING_SEEN;
  let now = Date.parse("2026-11-28T12:00:00.000Z");
  let plans = 0;
  const open: Act[] = [];
  const story = {
    events: [] as LoopEvent[],
    acts: [] as Act[],
    states: [state],
    policies: new Map(),
    broken: new Set<string>(),
    doubtful: new Set<string>(),
  };
  const contents = new Map<string, { says: number; isBroken: boolean; policy: GatewayPolicy }>();
  const post = (event: LoopEvent) => {
    now += 1;
    const at = instant(new Date(now).toISOString());
    const decision = decide(state, [event], said, at);
    expect(decide(state, [event], said, at)).toEqual(decision);
    state = decision.state;
    story.events.push(event);
    story.states.push(state);
    story.acts.push(...decision.acts);
    open.push(...decision.acts.filter(({ act }) => act === "read" || act === "plan" || act === "apply"));
    expect(open.filter(({ act }) => act === "apply").length).toBeLessThanOrEqual(1);
    expect(open.filter(({ act }) => act === "plan" || act === "apply").length).toBeLessThanOrEqual(1);
  };
  const answer = (act: Act, plan: Omit<PlanFacts, "id" | "substance">, fate: number) => {
    open.splice(open.indexOf(act), 1);
    if (act.act === "read") {
      const { says, isBroken, policy } = contents.get(act.revision)!;
      if (isBroken)
        post({
          event: "unreadable",
          revision: act.revision,
          because: { code: "MANIFEST_INVALID", message: "1 mistake" },
        });
      else
        post({ event: "read", revision: act.revision, digest: `d${says}` as Digest, policy, isDoubtful: says === 3 });
    } else if (act.act === "plan") {
      if (fate === 0)
        return post({ event: "unplannable", revision: act.revision, because: { code: "INTERNAL", message: "no" } });
      const changes = plan.changes.filter(({ name }) => !act.leaveOut.includes(name));
      const facts = { ...plan, changes, id: `p${plans++}`, substance: JSON.stringify(changes) as Digest };
      post({ event: "planned", revision: act.revision, plan: facts, run: `run-${facts.id}` });
    } else if (act.act === "apply") {
      const outcome = (["failed", "stopped", "stale", "held"] as const)[fate] ?? "done";
      const undone = outcome === "done" ? [] : act.plan.changes.map(({ name }) => name);
      post({ event: "ended", revision: act.revision, plan: act.plan.id, run: "r", outcome, undone, because: null });
      if (outcome === "held") post({ event: "released" });
    }
  };
  for (const move of moves) {
    if (move.move === "answer" && open.length > 0) answer(open[move.which % open.length]!, move.plan, move.fate);
    else if (move.move === "save") {
      const id = `r${contents.size + 1}`;
      contents.set(id, move);
      story.policies.set(id, { ...move.policy, ...said });
      if (move.isBroken) story.broken.add(id);
      if (move.says === 3) story.doubtful.add(id);
      post({ event: "seen", revision: id, what: "saved", commit: null });
    } else if (move.move === "look") post({ event: "look", why: "drift" });
    else if (move.move === "wait") {
      now += move.seconds * 1000;
      post({ event: "tick" });
    } else if (move.move !== "answer" && state.asked !== null) {
      const { revision, plan } = state.asked;
      const event = move.move === "decline" ? "decline" : "approve";
      post({ event, revision, plan: move.move === "approve-other" ? "p-other" : plan.id, by: "me" });
    }
  }
  const nothing = { changes: [], refusals: [], blocked: [], unknown: [], awaited: [], opens: null };
  for (let turns = 0; open.length > 0 || wakeAt(state) !== null; turns++) {
    if (turns > 200) throw new Error(`it does not come to rest: ${JSON.stringify(state)}`);
    const [first] = open;
    if (first !== undefined) answer(first, nothing, 9);
    else {
      now = Math.max(now, Date.parse(wakeAt(state)!));
      post({ event: "tick" });
    }
  }
  return story;
}

const anySaid: fc.Arbitrary<Partial<GatewayPolicy>> = fc.oneof(
  fc.constant({}),
  fc.record({ auto: fc.constantFrom("live" as const, "destroy" as const) }),
);
const stories = (check: (story: Story) => void) =>
  fc.assert(
    fc.property(fc.array(anyMove, { maxLength: 40, size: "max" }), anySaid, (moves, said) => check(play(moves, said))),
    { numRuns: 300 },
  );

test("one apply of a fleet at a time, the same inputs give the same acts, and it comes to rest", () => {
  stories(() => {});
});

test("what is beyond auto is done only with an approval of that very revision and plan, and nothing of what is suspended", () => {
  let approved = 0;
  stories(({ events, acts, policies, doubtful }) => {
    for (const act of acts) {
      if (act.act !== "apply") continue;
      const policy = policies.get(act.revision)!;
      expect(policy.suspend).toBe(false);
      const said = act.plan.changes.map((change) => allows(policy, change.class));
      expect(said).not.toContain("forbidden");
      const isApproved = events.some(
        (event) => event.event === "approve" && event.revision === act.revision && event.plan === act.plan.id,
      );
      if (said.includes("ask")) expect(isApproved).toBe(true);
      if (act.approvedBy !== null) expect(isApproved).toBe(true);
      const losing = act.plan.changes.filter((change) => change.class === "destroy" || change.class === "replace");
      if (doubtful.has(act.revision) && losing.length > 0) expect(isApproved).toBe(true);
      approved += act.approvedBy === null ? 0 : 1;
    }
  });
  expect(approved).toBeGreaterThan(0);
});

test("what is broken never takes the place of the last good one", () => {
  stories(({ states, broken }) => {
    for (const [index, { inForce }] of states.entries()) {
      expect(broken.has(inForce ?? "")).toBe(false);
      if (index > 0 && states[index - 1]!.inForce !== null) expect(inForce).not.toBe(null);
    }
  });
});

test("every revision ends once, but for the newest that waits and what failed and was put right; one that runs is let finish", () => {
  stories(({ events, acts, states }) => {
    const ends = new Map<string, string>();
    for (const act of acts) {
      if (act.act !== "tell" || act.told.kind !== "revision") continue;
      const { id, standing } = act.told.revision;
      const end = ends.get(id);
      const isPutRight = end === "failed" && (standing === "waiting" || standing === "applied");
      expect(end === undefined || isPutRight, `${id} ended as ${end} and is now ${standing}`).toBe(true);
      if (isFinal(standing)) ends.set(id, standing);
      else ends.delete(id);
    }
    for (const [index, state] of states.entries()) {
      const before = states[index - 1];
      if (state.turn?.kind !== "applying" || before?.turn?.kind !== "applying") continue;
      // What was approved meanwhile begins as soon as it has ended.
      if (events[index - 1]?.event === "ended") continue;
      expect(state.turn).toEqual(before.turn);
      const standingIn = ({ revisions }: LoopState) =>
        revisions.find(({ id }) => id === state.turn?.revision)?.standing;
      expect(standingIn(state)).toBe(standingIn(before));
    }
    const left = states.at(-1)!.revisions.filter(({ standing }) => !isFinal(standing));
    expect(left.map(({ standing }) => standing).filter((each) => each !== "waiting")).toEqual([]);
    expect(left.length).toBeLessThanOrEqual(1);
  });
});

test("drift is left alone where policy says so: not reverted, and with off not told", () => {
  const drifting = fc.array(anyMove, { maxLength: 40, size: "max" }).map((moves) =>
    moves.map((move) => {
      if (move.move === "answer") {
        const changes = move.plan.changes.map((change) => ({ ...change, isDrift: true }));
        return { ...move, plan: { ...move.plan, changes } };
      }
      return move.move === "save" ? { ...move, policy: { ...move.policy, healDrift: "off" as const } } : move;
    }),
  );
  fc.assert(
    fc.property(drifting, (moves) => {
      const { acts } = play(moves, {});
      expect(acts.filter(({ act }) => act === "apply" || act === "ask")).toEqual([]);
      expect(acts.filter((act) => act.act === "tell" && act.told.kind === "drift")).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
