/** The loop's own decisions, told to watchers as the loop tells them, with no source and no agents: what happened is the test's to say. */
import type { ApplyEvent, StepReport } from "../../src/apply/apply-report.ts";
import type { LoopWatcher } from "../../src/gateway/loop/parts.ts";
import { decide } from "../../src/gateway/revision/decide.ts";
import { type LoopEvent, type LoopState, NOTHING_SEEN, type Told } from "../../src/gateway/revision/loop-state.ts";
import type { ChangeFacts, PlanFacts } from "../../src/gateway/revision/plan-facts.ts";
import { DEFAULT_GATEWAY_POLICY, type GatewayPolicy } from "../../src/model/desired-state.ts";
import { type Digest, instant, nodeName, vmName } from "../../src/model/names.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { PlannedFleet } from "../../src/turn/plan-fleet.ts";
import { PlanBuilder } from "./a-plan.ts";
import { aNodeReport } from "./wire-builders.ts";

export const aChange = (name: string, changeClass: ChangeFacts["class"] = "live", isDrift = false): ChangeFacts => ({
  name: vmName(name),
  action: "update",
  class: changeClass,
  isDrift,
});

export class ToldLoop {
  state: LoopState = NOTHING_SEEN;
  readonly #watchers: readonly LoopWatcher[];
  readonly #clock: Clock;
  #plans = 0;

  constructor(clock: Clock, ...watchers: readonly LoopWatcher[]) {
    this.#clock = clock;
    this.#watchers = watchers;
  }

  post(event: LoopEvent): this {
    const now = this.#clock.now();
    const { state, acts } = decide(this.state, [event], {}, now);
    this.state = state;
    for (const act of acts) {
      if (act.act === "tell") this.#tell((watcher) => watcher.told(act.told, now));
      if (act.act === "ask") this.#tell((watcher) => watcher.asked(act.revision, plannedOf(), "20261128-120000-abcd"));
    }
    this.#tell((watcher) => watcher.changed(state));
    return this;
  }

  /** Nothing is decided: it is only told. */
  tell(told: Told): this {
    this.#tell((watcher) => watcher.told(told, this.#clock.now()));
    return this;
  }

  /** Seen and read: it is planned next. */
  push(revision: string, policy: Partial<GatewayPolicy> = {}): this {
    return this.post({ event: "seen", revision, what: "a push", commit: revision }).post({
      ...{ event: "read", revision, digest: `of ${revision}` as Digest, isDoubtful: false },
      policy: { ...DEFAULT_GATEWAY_POLICY, ...policy },
    });
  }
  pushBroken(revision: string, message = "1 mistake"): this {
    const because = { code: "MANIFEST_INVALID", message } as const;
    return this.post({ event: "seen", revision, what: "a push", commit: revision }).post({
      ...{ event: "unreadable", revision, because },
    });
  }
  plan(revision: string, changes: readonly ChangeFacts[] = [], more: Partial<PlanFacts> = {}): this {
    const nothing = { refusals: [], blocked: [], unknown: [], awaited: [], opens: null };
    const substance = JSON.stringify(changes) as Digest;
    return this.post({
      ...{ event: "planned", revision, run: `run-${this.#plans + 1}` },
      plan: { ...nothing, changes, id: `p${++this.#plans}`, substance, ...more },
    });
  }
  end(outcome: "done" | "failed" | "stopped" | "stale" | "held", message = "a step failed"): this {
    const { turn } = this.state;
    if (turn?.kind !== "applying") throw new Error("nothing is applied");
    const { revision, plan } = turn;
    const because = outcome === "failed" ? ({ code: "AGENT_UNREACHABLE", message } as const) : null;
    const undone = outcome === "done" ? [] : plan.changes.map(({ name }) => name);
    return this.post({ event: "ended", revision, plan: plan.id, run: "run", outcome, undone, because });
  }
  look(): this {
    return this.post({ event: "look", why: "an agent said something" });
  }
  /** As of these nodes, the ones with a dash before their name being silent. */
  see(...nodes: readonly string[]): this {
    const planned = plannedOf(nodes);
    this.#tell((watcher) => watcher.seen?.(planned));
    return this;
  }
  apply(event: ApplyEvent, run = "run"): this {
    this.#tell((watcher) => watcher.applying?.(event, run));
    return this;
  }

  #tell(how: (watcher: LoopWatcher) => void): void {
    for (const watcher of this.#watchers) how(watcher);
  }
}

export const aStepReport = (over: Partial<StepReport> = {}): StepReport => ({
  ...{ id: "s", kind: "bootVm", vm: vmName("web-1"), node: nodeName("n1"), title: "boot web-1 on n1" },
  ...{ outcome: "done", noop: false, attempts: 1, milliseconds: 1_500, error: null, skippedBecause: null },
  ...over,
});

function plannedOf(nodes: readonly string[] = ["n1"]): PlannedFleet {
  const plan = new PlanBuilder().change("web-1", "update", "live", "n1", { text: "cpus 1 → 2" }).build();
  const observed = {
    at: instant("2026-11-28T12:00:00.000Z"),
    nodes: nodes.map((name) =>
      name.startsWith("-")
        ? { name: nodeName(name.slice(1)), reach: "silent", error: "no answer within 5 s" }
        : { name: nodeName(name), reach: "answered", report: aNodeReport(name) },
    ),
  };
  return { plan, observed } as unknown as PlannedFleet;
}
