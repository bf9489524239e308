/** The agents of a fleet's nodes, connected when first asked and closed together. */
import type { DesiredNode } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { observe } from "../observe/observe.ts";
import type { Clock } from "../platform/clock.ts";
import { type AgentClient, connectAgent } from "../wire/client.ts";
import { type CredentialSettings, readCredentials } from "../wire/credentials.ts";

/** What one needs to talk to agents, the same for all nodes. */
export interface AgentAccess extends CredentialSettings {
  /** How long one agent may take to say what it has. */
  readonly answerMs?: number;
}

/** Asks all of them; see `observe/`. */
export const observeAgents = (
  nodes: readonly DesiredNode[],
  agents: Agents,
  { access, clock, signal }: { readonly access: AgentAccess; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<ObservedState> =>
  observe(nodes, (node) => agents.of(node.name), {
    clock,
    signal,
    ...(access.answerMs === undefined ? {} : { deadlineMs: access.answerMs }),
  });

export interface Agents extends AsyncDisposable {
  /** Throws PLAN_STALE for a node that the manifests do not name (a saved plan may). */
  of(node: NodeName): AgentClient;
}

/** Rejects with USAGE for a token or certificate that cannot be read: that is no node's silence. */
export async function connectAgents(nodes: readonly DesiredNode[], access: AgentAccess): Promise<Agents> {
  await readCredentials(access);
  const clients = new Map<NodeName, AgentClient>();
  const addresses = new Map(nodes.map((node) => [node.name, node.address]));
  return {
    of(node) {
      const known = clients.get(node);
      if (known) return known;
      const address = addresses.get(node);
      if (address === undefined) {
        throw new OdoroboError("PLAN_STALE", `the manifests no longer name the node ${node}`, {
          hint: "make a new plan, or give the fleet that the plan was made from",
        });
      }
      const client = connectAgent({ ...access, address });
      clients.set(node, client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}
