/** Connections to the agents of one fleet for those who look at its guests: by the gateway's own credentials, whoever looks. */
import type { AgentAccess } from "../../../turn/connect-agents.ts";
import { type AgentClient, connectAgent } from "../../../wire/client.ts";

export class AgentLines implements AsyncDisposable {
  readonly #access: AgentAccess;
  readonly #clients = new Map<string, AgentClient>();

  constructor(access: AgentAccess) {
    this.#access = access;
  }

  /** Of the agent at that address. Opens nothing yet. */
  at(address: string): AgentClient {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    const client = connectAgent({ ...this.#access, address });
    this.#clients.set(address, client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#clients.values()];
    this.#clients.clear();
    await Promise.all(all.map((client) => client.close()));
  }
}
