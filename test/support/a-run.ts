/** Runs in memory, with executors that can be killed: whatever a dead one still does reaches neither journal nor agents. */
import type { ApplyReport } from "../../src/apply/apply-report.ts";
import type { NodeName } from "../../src/model/names.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import type { RunOrder } from "../../src/run/decide.ts";
import type { RunBegun, RunEvent } from "../../src/run/journal.ts";
import type { RunClaim } from "../../src/run/run-store.ts";
import { type RunState, stateOf } from "../../src/run/state.ts";
import type { Agents } from "../../src/turn/connect-agents.ts";
import { type ExecuteRequest, executeRun } from "../../src/turn/runs/execute-run.ts";
import { findRefused } from "../../src/turn/runs/take-up-run.ts";
import type { AgentApi } from "../../src/wire/agent-api.ts";
import type { AgentClient } from "../../src/wire/client.ts";
import { aFleet } from "./a-fleet.ts";
import type { Rehearsal } from "./an-apply.ts";

export interface Executor {
  readonly ended: Promise<ApplyReport>;
  tell(command: RunOrder): void;
  kill(): void;
}

export const aBegunRun = (plan: Plan, over: Partial<RunBegun> = {}): RunBegun => ({
  event: "begun",
  at: plan.base.observedAt,
  version: 1,
  run: "20260101-120000-0000",
  plan: plan.id,
  fleet: plan.fleet,
  source: plan.base.source,
  commit: plan.base.commit,
  steps: plan.steps.length,
  limits: { total: 64, perNode: 8 },
  origin: { location: { kind: "folder", path: "/fleet" } },
  by: "me@here, process 1",
  ...over,
});

export class RunInMemory {
  readonly plan: Plan;
  readonly events: RunEvent[];
  readonly #rehearsal: Rehearsal;
  readonly #nodes: readonly string[];

  constructor(plan: Plan, rehearsal: Rehearsal, nodes: readonly string[], begun: Partial<RunBegun> = {}) {
    this.plan = plan;
    this.events = [aBegunRun(plan, begun)];
    this.#rehearsal = rehearsal;
    this.#nodes = nodes;
  }

  get state(): RunState {
    return stateOf(this.events) as RunState;
  }

  /** As a process would: nothing but plan, journal and world are known to it. `keep`: instead of adding to the journal. */
  execute(
    over: Partial<Pick<ExecuteRequest, "signal" | "hardSignal">> & {
      readonly keep?: (event: RunEvent) => void;
      readonly settled?: (events: readonly RunEvent[]) => Promise<void>;
    } = {},
  ): Executor {
    const { time, fleet } = this.#rehearsal;
    const life = { isOver: false };
    const never = new Promise<never>(() => {});
    const whileAlive = async <T>(promise: Promise<T>): Promise<T> => {
      try {
        return await promise;
      } finally {
        if (life.isOver) await never;
      }
    };
    const agentOf = (node: NodeName) => {
      const agent: AgentApi = fleet.agent(node);
      return {
        putVm: (...args: Parameters<AgentApi["putVm"]>) => (life.isOver ? never : whileAlive(agent.putVm(...args))),
        operate: (...args: Parameters<AgentApi["operate"]>) =>
          life.isOver ? never : whileAlive(agent.operate(...args)),
        tellWhereabouts: async () => {},
      } as unknown as AgentClient;
    };
    const agents: Agents = { of: agentOf, [Symbol.asyncDispose]: async () => {} };
    const orders: { listener: Parameters<RunClaim["onCommand"]>[0] | null } = { listener: null };
    const claim: RunClaim = {
      id: this.state.begun.run,
      plan: this.plan,
      state: () => this.state,
      append: (event) => {
        if (life.isOver) return;
        over.keep?.(event);
        this.events.push(event);
      },
      settled: async () => over.settled?.(this.events),
      onCommand: (listener) => {
        orders.listener = listener;
      },
      [Symbol.asyncDispose]: async () => {},
    };
    const observed = fleet.observe();
    const ended = executeRun({
      claim,
      desired: aFleet()
        .nodes(...this.#nodes)
        .desired(),
      observed,
      agents,
      clock: time,
      sleep: time.sleep,
      signal: over.signal ?? new AbortController().signal,
      hardSignal: over.hardSignal ?? new AbortController().signal,
      onEvent: () => {},
      refused: findRefused(this.plan, this.state, observed, new Set()),
    });
    return {
      ended: whileAlive(ended),
      tell: (command) => {
        if (!life.isOver) orders.listener?.(command);
      },
      kill: () => {
        life.isOver = true;
      },
    };
  }
}
