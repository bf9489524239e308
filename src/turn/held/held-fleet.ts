/**
 * A fleet that is planned again and again by one process: connections, what each agent said last and what became of each VM are held, so
 * that a plan costs what is new.
 *
 *   gateway/loop/live-world.ts → [held-fleet.ts] → agent-news.ts (whom to ask) → plan-fleet.ts
 *
 * What is held is enough to say that nothing is to be done. Before anything is planned to be done, every agent is asked: one that is silent is
 * unknown then, as in a plan from scratch.
 */
import type { DesiredNode } from "../../model/desired-state.ts";
import type { NodeName } from "../../model/names.ts";
import type { NodeReport, ObservedState } from "../../model/observed-state.ts";
import { observe } from "../../observe/observe.ts";
import { PlanMemory } from "../../plan/plan-memory.ts";
import type { Clock } from "../../platform/clock.ts";
import type { AgentApi } from "../../wire/agent-api.ts";
import type { AgentAccess, Agents } from "../connect-agents.ts";
import { type PlannedFleet, type PlanRequest, planSeen } from "../plan-fleet.ts";
import type { Fleet } from "../read-fleet.ts";
import { AgentNews } from "./agent-news.ts";
import { HeldAgents } from "./held-agents.ts";
import { MemoryReports } from "./memory-reports.ts";

interface Held {
  readonly address: string;
  readonly report: NodeReport;
}

export class HeldFleet implements AsyncDisposable {
  readonly #access: AgentAccess;
  readonly #clock: Clock;
  readonly #reports = new MemoryReports();
  readonly #agents: HeldAgents;
  readonly #held = new Map<NodeName, Held>();
  readonly #memory = new PlanMemory();
  /** Told by whoever follows the agents' events. Of who is not followed nothing is held. */
  readonly news: AgentNews;

  constructor(access: AgentAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
    this.#agents = new HeldAgents(access, this.#reports);
    this.news = new AgentNews(() => clock.monotonicMs());
  }

  /** Rejects as `planFor` does. Disposing of the plan closes no connection. */
  async plan(
    fleet: Fleet,
    request: Pick<PlanRequest, "selection" | "allowances">,
    signal: AbortSignal,
  ): Promise<PlannedFleet> {
    const { nodes } = fleet.desired;
    this.#forgetOthers(nodes);
    this.#reports.specs = fleet.specs;
    const agents = await this.#agents.lease(nodes);
    try {
      const held = new Set<NodeName>();
      const observed = await this.#observe(nodes, agents, held, signal);
      const askAll = () => this.#observe(nodes, agents, null, signal);
      const seen = { fleet, observed, agents, memory: this.#memory, ...(held.size > 0 && { askAll }) };
      return await planSeen(seen, { ...request, clock: this.#clock }, signal);
    } catch (error) {
      await agents[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What agents have now: those that have something new are asked. Nothing is planned of it. */
  async look(nodes: readonly DesiredNode[], signal: AbortSignal): Promise<ObservedState> {
    const agents = await this.#agents.lease(nodes);
    try {
      return await this.#observe(nodes, agents, new Set(), signal);
    } finally {
      await agents[Symbol.asyncDispose]();
    }
  }

  /** `held`: whose reports were held is noted there; null: everybody is asked. */
  #observe(
    nodes: readonly DesiredNode[],
    agents: Agents,
    held: Set<NodeName> | null,
    signal: AbortSignal,
  ): Promise<ObservedState> {
    const { answerMs } = this.#access;
    return observe(nodes, (node) => this.#agentOf(node, agents, held), {
      clock: this.#clock,
      signal,
      ...(answerMs === undefined ? {} : { deadlineMs: answerMs }),
    });
  }

  #agentOf({ name, address }: DesiredNode, agents: Agents, held: Set<NodeName> | null): Pick<AgentApi, "report"> {
    return {
      report: async (signal) => {
        const known = this.#held.get(name);
        if (held !== null && known?.address === address && this.news.isStillAll(name)) {
          held.add(name);
          return known.report;
        }
        const hasAnswered = this.news.ask(name);
        this.#held.delete(name);
        const report = await agents.of(name).report(signal);
        this.#held.set(name, { address, report });
        hasAnswered();
        return report;
      },
    };
  }

  #forgetOthers(nodes: readonly DesiredNode[]): void {
    const names = new Set(nodes.map(({ name }) => name));
    for (const name of this.#held.keys()) if (!names.has(name)) this.#held.delete(name);
    this.#reports.keepOnly(new Set(nodes.map(({ address }) => address)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agents[Symbol.asyncDispose]();
  }
}
