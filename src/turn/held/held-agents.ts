/** Connections to a fleet's agents that outlive a plan. They are made anew when addresses or credentials are others. */
import { hash } from "node:crypto";
import type { DesiredNode } from "../../model/desired-state.ts";
import { readCredentials } from "../../wire/credentials.ts";
import type { KeptReports } from "../../wire/kept-reports.ts";
import { type AgentAccess, type Agents, openAgents } from "../connect-agents.ts";

interface Connections {
  readonly key: string;
  readonly agents: Agents;
  /** Plans that may still use them. */
  leases: number;
}

export class HeldAgents implements AsyncDisposable {
  readonly #access: AgentAccess;
  readonly #reports: KeptReports;
  #current: Connections | null = null;
  #isClosed = false;

  constructor(access: AgentAccess, reports: KeptReports) {
    this.#access = access;
    this.#reports = reports;
  }

  /** Disposing of what it returns closes nothing that others use. Rejects with USAGE as `connectAgents` does. */
  async lease(nodes: readonly Pick<DesiredNode, "name" | "address">[]): Promise<Agents> {
    const credentials = await readCredentials(this.#access);
    const addresses = nodes.map(({ name, address }) => [name, address]);
    const key = hash("sha256", JSON.stringify([credentials, addresses]), "base64url");
    const before = this.#current;
    const current =
      before?.key === key ? before : { key, agents: openAgents(nodes, this.#access, this.#reports), leases: 0 };
    current.leases++;
    this.#current = this.#isClosed ? null : current;
    if (before !== null && before !== current) await this.#closeUnused(before);
    let isHeld = true;
    return {
      of: (node) => current.agents.of(node),
      [Symbol.asyncDispose]: async () => {
        if (!isHeld) return;
        isHeld = false;
        current.leases--;
        await this.#closeUnused(current);
      },
    };
  }

  async #closeUnused(connections: Connections): Promise<void> {
    if (connections !== this.#current && connections.leases === 0) await connections.agents[Symbol.asyncDispose]();
  }

  /** Plans that are not disposed of yet keep theirs; whoever plans after this holds nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const last = this.#current;
    this.#current = null;
    if (last !== null) await this.#closeUnused(last);
  }
}
