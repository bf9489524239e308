/** What the loop decides, in stories that a person could tell. */
import { expect, test } from "vitest";
import { findStateError } from "../../src/gateway/loop/memory-shape.ts";
import { decide } from "../../src/gateway/revision/decide.ts";
import {
  type Act,
  type LoopEvent,
  type LoopState,
  NOTHING_SEEN,
  wakeAt,
} from "../../src/gateway/revision/loop-state.ts";
import type { ChangeFacts, PlanFacts } from "../../src/gateway/revision/plan-facts.ts";
import { DEFAULT_GATEWAY_POLICY, type GatewayPolicy } from "../../src/model/desired-state.ts";
import { type Digest, instant, vmName } from "../../src/model/names.ts";

const change = (name: string, changeClass: ChangeFacts["class"], isDrift = false): ChangeFacts => ({
  name: vmName(name),
  action: "update",
  class: changeClass,
  isDrift,
});

class Story {
  state: LoopState = NOTHING_SEEN;
  #now = Date.parse("2026-11-28T12:00:00.000Z");
  #plans = 0;
  acts: readonly Act[] = [];

  /** Returns what is to be done, without what is only told. */
  post(event: LoopEvent): string[] {
    this.#now += 1;
    const { state, acts } = decide(this.state, [event], {}, instant(new Date(this.#now).toISOString()));
    this.state = state;
    this.acts = acts;
    return acts.flatMap((act) => {
      if (act.act === "tell") return [];
      if (act.act === "withdraw") return [`${act.outcome} ${act.run}: ${act.reason}`];
      const about = act.act === "plan" ? act.leaveOut.map((name) => `-${name}`) : [];
      const whom = act.act === "apply" || act.act === "ask" ? act.plan.changes.map(({ name }) => name) : [];
      return [[act.act, act.revision, ...about, ...whom].join(" ")];
    });
  }
  wait(milliseconds: number): string[] {
    this.#now += milliseconds;
    return this.post({ event: "tick" });
  }
  seen = (revision: string) => this.post({ event: "seen", revision, what: "saved", commit: null });
  read = (revision: string, policy: Partial<GatewayPolicy> = {}, isDoubtful = false) =>
    this.post({
      event: "read",
      revision,
      digest: `of ${revision}` as Digest,
      policy: { ...DEFAULT_GATEWAY_POLICY, ...policy },
      isDoubtful,
    });
  broken = (revision: string) =>
    this.post({ event: "unreadable", revision, because: { code: "MANIFEST_INVALID", message: "1 mistake" } });
  planned(revision: string, changes: readonly ChangeFacts[], more: Partial<PlanFacts> = {}): string[] {
    const nothing = { refusals: [], blocked: [], unknown: [], awaited: [], opens: null };
    const substance = JSON.stringify(changes) as Digest;
    const plan = { ...nothing, changes, id: `p${++this.#plans}`, substance, ...more };
    return this.post({ event: "planned", revision, plan, run: `run-${this.#plans}` });
  }
  ended(outcome: "done" | "failed" | "stopped" | "stale" | "held" | "away", undone: readonly string[] = []): string[] {
    const { turn } = this.state;
    if (turn?.kind !== "applying") throw new Error("nothing is applied");
    const { revision, plan } = turn;
    const names = undone.map(vmName);
    return this.post({ event: "ended", revision, plan: plan.id, run: "run", outcome, undone: names, because: null });
  }
  standing = (id: string) => this.state.revisions.find((each) => each.id === id)?.standing;
}

function begun(policy: Partial<GatewayPolicy> = {}): Story {
  const story = new Story();
  expect(story.seen("r1")).toEqual(["read r1"]);
  expect(story.read("r1", policy)).toEqual(["plan r1"]);
  expect(story.planned("r1", [])).toEqual([]);
  expect(story.standing("r1")).toBe("applied");
  return story;
}

test("a save while applying waits; a newer one takes its place; the one that runs is let finish", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  expect(story.planned("r2", [change("a", "live")])).toEqual(["apply r2 a"]);
  expect(story.seen("r3")).toEqual(["read r3"]);
  expect(story.read("r3")).toEqual([]);
  expect(story.seen("r4")).toEqual(["read r4"]);
  expect(story.read("r4")).toEqual([]);
  expect(story.standing("r3")).toBe("replaced");
  expect(story.ended("done")).toEqual(["plan r4"]);
  expect(story.standing("r2")).toBe("applied");
});

test("what may be done by itself does not wait for what must be asked for; an approval is of that plan alone", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  expect(story.planned("r2", [change("a", "live"), change("b", "reboot")])).toEqual(["plan r2 -b"]);
  expect(story.planned("r2", [change("a", "live")])).toEqual(["apply r2 a"]);
  expect(story.ended("done")).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("b", "reboot")])).toEqual(["ask r2 b"]);
  expect(story.standing("r2")).toBe("waiting");
  const old = story.state.asked!.plan.id;
  // Found again: it is asked about already. Found otherwise: it is another question.
  story.post({ event: "look", why: "drift" });
  expect(story.planned("r2", [change("b", "reboot")])).toEqual([]);
  story.post({ event: "look", why: "drift" });
  expect(story.planned("r2", [change("b", "destroy")])).toEqual([
    "replaced run-4: by the run run-6: something else is to be done by now",
    "ask r2 b",
  ]);
  expect(story.post({ event: "approve", revision: "r2", plan: old, by: "me" })).toEqual([]);
  expect(story.acts).toEqual([{ act: "tell", told: { kind: "void", revision: "r2", plan: old, by: "me" } }]);
  const { id } = story.state.asked!.plan;
  expect(story.post({ event: "approve", revision: "r2", plan: id, by: "me" })).toEqual(["apply r2 b"]);
  // A VM has moved on meanwhile: looked at and asked about anew.
  expect(story.ended("stale")).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("b", "destroy")])).toEqual(["ask r2 b"]);
});

test("broken, forbidden and refused ones leave the last good one in force, and it is healed", () => {
  const story = begun();
  story.seen("r2");
  expect(story.broken("r2")).toEqual([]);
  expect(story.post({ event: "look", why: "drift" })).toEqual(["plan r1"]);
  expect(story.planned("r1", [change("a", "live", true)])).toEqual(["apply r1 a"]);
  expect(story.ended("done")).toEqual(["plan r1"]);
  story.planned("r1", []);
  story.seen("r3");
  story.read("r3", { approve: ["destroy"] });
  expect(story.planned("r3", [change("a", "reboot")])).toEqual(["plan r1"]);
  expect(story.state.revisions.find(({ id }) => id === "r3")).toMatchObject({
    standing: "refused",
    because: { message: expect.stringContaining("a (reboot)") },
  });
  expect(story.state.inForce).toBe("r1");
});

test("what a person declines is not asked for again, nor done for drift's sake, until something else is saved", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  story.planned("r2", [change("a", "reboot")]);
  const { id } = story.state.asked!.plan;
  story.post({ event: "decline", revision: "r2", plan: id, by: "me", reason: "not today" });
  expect(story.standing("r2")).toBe("refused");
  expect(story.state.revisions.find((each) => each.id === "r2")?.because?.message).toBe("me turned it down: not today");
  expect(story.post({ event: "look", why: "drift" })).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("a", "reboot")])).toEqual(["plan r2 -a"]);
  expect(story.planned("r2", [])).toEqual([]);
  story.seen("r3");
  story.read("r3");
  expect(story.planned("r3", [change("a", "reboot")])).toEqual(["ask r3 a"]);
});

test("what failed is tried again, later and later; saved again, at once", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  const waits: number[] = [];
  expect(story.planned("r2", [change("a", "live")])).toEqual(["apply r2 a"]);
  for (let time = 0; time < 8; time++) {
    expect(story.ended("failed", ["a"])).toEqual([]);
    const rest = Date.parse(wakeAt(story.state)!) - Date.parse(story.state.revisions.at(-1)!.at);
    waits.push(rest);
    story.post({ event: "look", why: "an event" });
    expect(story.state.turn).toBe(null);
    expect(story.wait(3_600_000)).toEqual(["plan r2"]);
    expect(story.planned("r2", [change("a", "live")])).toEqual(["apply r2 a"]);
  }
  expect(story.standing("r2")).toBe("failed");
  story.ended("failed", ["a"]);
  story.seen("r3");
  expect(
    story.post({
      event: "read",
      revision: "r3",
      digest: "of r2" as Digest,
      policy: DEFAULT_GATEWAY_POLICY,
      isDoubtful: false,
    }),
  ).toEqual(["plan r2"]);
  expect(story.standing("r3")).toBe("unchanged");
});

test("what failed because nodes were silent is applied, or waits, as soon as that is so", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  expect(story.planned("r2", [], { unknown: [vmName("a")] })).toEqual([]);
  expect(story.standing("r2")).toBe("failed");
  expect(story.wait(3_600_000)).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("b", "reboot")])).toEqual(["ask r2 b"]);
  expect(story.standing("r2")).toBe("waiting");
  const { id } = story.state.asked!.plan;
  story.post({ event: "approve", revision: "r2", plan: id, by: "me" });
  story.ended("failed", ["b"]);
  expect(story.standing("r2")).toBe("failed");
  expect(story.wait(3_600_000)).toEqual(["plan r2"]);
  expect(story.planned("r2", [])).toEqual([]);
  expect(story.standing("r2")).toBe("applied");
});

test("what a person stopped is not applied, though nothing of it is left that may be done", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  story.planned("r2", [change("a", "live")]);
  story.ended("stopped", ["a"]);
  story.post({ event: "look", why: "an event" });
  expect(story.planned("r2", [change("a", "live")])).toEqual(["plan r2 -a"]);
  expect(story.planned("r2", [])).toEqual([]);
  expect(story.standing("r2")).toBe("failed");
});

test("a node that is silent for a while takes neither a question nor its approval back", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  story.planned("r2", [change("b", "destroy")]);
  const { run, plan } = story.state.asked!;
  story.post({ event: "look", why: "an event" });
  expect(story.planned("r2", [], { unknown: [vmName("a")] })).toEqual([]);
  expect(story.standing("r2")).toBe("waiting");
  // However long it is silent, guests elsewhere are healed as soon as something befalls them.
  expect(story.post({ event: "look", why: "an event" })).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("b", "destroy")])).toEqual([]);
  expect(story.state.asked).toMatchObject({ run });
  story.post({ event: "look", why: "an event" });
  expect(story.post({ event: "approve", revision: "r2", plan: plan.id, by: "me" })).toEqual([]);
  expect(story.planned("r2", [], { unknown: [vmName("a")] })).toEqual(["apply r2 b"]);
});

test("drift under report is told once; a window that opens is a reason to look; suspended, nothing is done", () => {
  const story = begun({ healDrift: "report" });
  story.post({ event: "look", why: "drift" });
  expect(story.planned("r1", [change("a", "live", true)])).toEqual(["plan r1 -a"]);
  expect(story.acts.filter(({ act }) => act === "tell")).toHaveLength(1);
  story.planned("r1", []);
  story.post({ event: "look", why: "drift" });
  story.planned("r1", [change("a", "live", true)]);
  expect(story.acts.filter(({ act }) => act === "tell")).toHaveLength(0);
  story.planned("r1", []);

  story.seen("r2");
  story.read("r2");
  const opens = instant("2026-11-28T22:00:00.000Z");
  story.planned("r2", [], { awaited: [vmName("b")], opens });
  expect(story.standing("r2")).toBe("waiting");
  expect(wakeAt(story.state)).toBe(opens);
  expect(story.wait(3_600_000)).toEqual([]);
  expect(story.wait(10 * 3_600_000)).toEqual(["plan r2"]);

  story.seen("r3");
  story.read("r3", { suspend: true });
  story.planned("r2", []);
  expect(story.planned("r3", [change("a", "live")])).toEqual([]);
  expect(story.standing("r3")).toBe("waiting");
});

test("manifests that were away and came back with less destroy nothing by themselves, whatever auto says", () => {
  const story = begun({ auto: "destroy" });
  story.seen("r2");
  story.read("r2", { auto: "destroy" }, true);
  expect(story.planned("r2", [change("a", "destroy"), change("b", "reboot")])).toEqual(["plan r2 -a"]);
});

test("what somebody deleted beside the manifests is not made anew without asking; what had never been made is", () => {
  const story = begun({ auto: "destroy" });
  const made = { ...change("a", "live"), action: "create" as const };
  story.post({ event: "look", why: "drift" });
  expect(story.planned("r1", [made, change("b", "live", true)])).toEqual(["plan r1 -a"]);
  expect(story.acts).toContainEqual({
    act: "tell",
    told: expect.objectContaining({ kind: "drift", left: [expect.objectContaining({ name: "a", action: "create" })] }),
  });
  expect(story.planned("r1", [change("b", "live", true)])).toEqual(["apply r1 b"]);
  expect(story.ended("done")).toEqual(["plan r1"]);
  expect(story.planned("r1", [made])).toEqual(["ask r1 a"]);
  const { id } = story.state.asked!.plan;
  story.post({ event: "decline", revision: "r1", plan: id, by: "me" });
  story.post({ event: "look", why: "drift" });
  expect(story.planned("r1", [made])).toEqual(["plan r1 -a"]);
  expect(story.planned("r1", [])).toEqual([]);
  story.seen("r2");
  story.read("r2", { auto: "destroy" });
  expect(story.planned("r2", [made])).toEqual(["apply r2 a"]);
});

test("what somebody deleted is not made anew while something else of the revision waits or fails, either", () => {
  const story = begun({ auto: "live" });
  story.seen("r2");
  story.read("r2", { auto: "live" });
  const made = (name: string) => ({ ...change(name, "live"), action: "create" as const });
  const silent = { blocked: [{ name: vmName("d"), message: "fits nowhere", hint: "" }], unknown: ["n1", "c"] };
  expect(story.planned("r2", [made("new"), change("b", "reboot")], silent)).toEqual(["plan r2 -b"]);
  expect(story.planned("r2", [made("new")], silent)).toEqual(["apply r2 new"]);
  expect(story.ended("done")).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("b", "reboot")], silent)).toEqual(["ask r2 b"]);
  // A person destroys what there was, and what the revision made; n1 answers again, and has no c; there is room for d.
  story.post({ event: "look", why: "an event" });
  const gone = [made("a"), made("new")];
  const late = [made("c"), made("d")];
  expect(story.planned("r2", [...gone, ...late, change("b", "reboot")])).toEqual(["plan r2 -a -new -b"]);
  expect(story.acts).toContainEqual({
    act: "tell",
    told: expect.objectContaining({ kind: "drift", left: gone.map(({ name }) => expect.objectContaining({ name })) }),
  });
  expect(story.planned("r2", late)).toEqual(["apply r2 c d"]);
  expect(story.ended("done")).toEqual(["plan r2"]);
  expect(story.planned("r2", [...gone, ...late, change("b", "reboot")]).at(-1)).toBe("ask r2 a new c d b");
  expect(story.state.revisions.at(-1)?.because?.message).toBe(
    `for approval: ${["a", "new", "c", "d"].map((name) => `${name} (made anew: somebody deleted it)`).join(", ")}, b (reboot)`,
  );
});

test("outside of policy.gateway.windows what disturbs waits for the next one, what does not is done, and a person's yes counts at once", () => {
  // The stories begin on a Saturday at 12:00.
  const window = { days: ["sat" as const], from: "14:00", until: "15:00", timezone: "UTC", source: null };
  const policy = { windows: [window] };
  const story = begun(policy);
  story.seen("r2");
  story.read("r2", policy);
  const made = { ...change("new", "live"), action: "create" as const };
  const changes = [change("web", "live"), made, change("db", "reboot")];
  expect(story.planned("r2", changes)).toEqual(["plan r2 -db -web"]);
  expect(story.planned("r2", [made])).toEqual(["apply r2 new"]);
  expect(story.ended("done")).toEqual(["plan r2"]);
  // What is asked for does not wait.
  expect(story.planned("r2", [change("web", "live"), change("db", "reboot")])).toEqual(["plan r2 -web"]);
  expect(story.planned("r2", [change("db", "reboot")])).toEqual(["ask r2 db"]);
  const { asked } = story.state;
  expect(story.post({ event: "approve", revision: "r2", plan: asked!.plan.id, by: "ada" })).toEqual(["apply r2 db"]);
  expect(story.ended("done")).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("web", "live")])).toEqual(["plan r2 -web"]);
  expect(story.planned("r2", [])).toEqual([]);
  expect(story.standing("r2")).toBe("waiting");
  const { because } = story.state.revisions.at(-1)!;
  expect(because?.message).toBe("for a window, the next opens at 2026-11-28T14:00:00.000Z: web");
  expect(wakeAt(story.state)).toBe("2026-11-28T14:00:00.000Z");
  expect(findStateError(JSON.parse(JSON.stringify(story.state)))).toBe(null);
  expect(story.wait(3_600_000)).toEqual([]);
  expect(story.wait(3_600_000)).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("web", "live")])).toEqual(["apply r2 web"]);
  expect(story.ended("done")).toEqual([]);
  expect(story.standing("r2")).toBe("applied");
  // Drift of a guest that runs is reverted in windows, too; one that is off is started.
  expect(story.wait(3_600_000)).toEqual([]);
  story.post({ event: "look", why: "drift" });
  const started = { ...change("db", "live", true), action: "boot" as const };
  expect(story.planned("r2", [change("web", "live", true), started])).toEqual(["plan r2 -web"]);
  expect(story.planned("r2", [started])).toEqual(["apply r2 db"]);
  expect(story.ended("done")).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("web", "live", true)])).toEqual(["plan r2 -web"]);
  expect(story.planned("r2", [])).toEqual([]);
  expect(wakeAt(story.state)).toBe("2026-12-05T14:00:00.000Z");
});

test("a window that opens while the rest is planned is not missed", () => {
  const policy = {
    windows: [{ days: ["sat" as const], from: "14:00", until: "15:00", timezone: "UTC", source: null }],
  };
  const story = begun(policy);
  story.seen("r2");
  story.read("r2", policy);
  expect(story.planned("r2", [change("web", "live")])).toEqual(["plan r2 -web"]);
  story.wait(7_200_000);
  expect(story.planned("r2", [])).toEqual(["plan r2"]);
  expect(story.planned("r2", [change("web", "live")])).toEqual(["apply r2 web"]);
});

test("what was approved and needs a silent agent waits for it with its approval, and goes on when something is heard", () => {
  const story = begun();
  story.seen("r2");
  story.read("r2");
  story.planned("r2", [change("b", "reboot")]);
  const { run, plan } = story.state.asked!;
  expect(story.post({ event: "approve", revision: "r2", plan: plan.id, by: "ada" })).toEqual(["apply r2 b"]);
  expect(story.ended("away")).toEqual([]);
  expect(story.standing("r2")).toBe("waiting");
  expect(story.state.asked).toMatchObject({ run, approvedBy: "ada" });
  expect(findStateError(JSON.parse(JSON.stringify(story.state)))).toBe(null);
  expect(wakeAt(story.state)).not.toBe(null);
  expect(story.wait(1)).toEqual([]);
  expect(story.wait(60_000)).toEqual(["apply r2 b"]);
  expect(story.ended("away")).toEqual([]);
  expect(story.post({ event: "look", why: "n1 is back" })).toEqual(["apply r2 b"]);
  // A newer one takes its place, as of anything that is not begun.
  story.seen("r3");
  story.read("r3");
  expect(story.ended("away")).toEqual(["plan r3"]);
  expect(story.standing("r2")).toBe("replaced");
  expect(story.state.asked).toBe(null);
});
