/** The agents of a fleet's nodes, connected when first asked and closed together. */
import type { DesiredNode } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { Digest, NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import { openKeptReports } from "../observe/kept-reports-file.ts";
import { observe } from "../observe/observe.ts";
import type { Clock } from "../platform/clock.ts";
import { type AgentClient, connectAgent } from "../wire/client.ts";
import { type CredentialSettings, readCredentials } from "../wire/credentials.ts";
import type { KeptReports } from "../wire/kept-reports.ts";

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

/**
 * `specs`: those that the manifests want, by the digest of their JSON; what agents report of them is shared.
 * Rejects with USAGE for a token or certificate that cannot be read: that is no node's silence.
 */
export async function connectAgents(
  nodes: readonly DesiredNode[],
  access: AgentAccess,
  specs: ReadonlyMap<Digest, VmSpec>,
): Promise<Agents> {
  await readCredentials(access);
  return openAgents(nodes, access, openKeptReports(specs));
}

/** As `connectAgents`, with reports that are kept as their owner likes. */
export function openAgents(
  nodes: readonly Pick<DesiredNode, "name" | "address">[],
  access: AgentAccess,
  reports: KeptReports,
): Agents {
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
      const client = connectAgent({ ...access, address, reports });
      clients.set(node, client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}
