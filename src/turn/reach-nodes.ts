/** For commands that look at nodes or act on one VM: the fleet's nodes asked once, or a single agent without any manifests. */
import type { DesiredNode } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { Clock } from "../platform/clock.ts";
import { type AgentClient, connectAgent } from "../wire/client.ts";
import { type AgentAccess, type Agents, connectAgents, observeAgents } from "./connect-agents.ts";
import { type Fleet, type FleetLocation, loadFleet } from "./read-fleet.ts";

export interface ReachRequest {
  /** An agent's address: no manifests are read. Null: the nodes of the fleet there. */
  readonly agent: string | null;
  readonly location: FleetLocation;
  /** Only this node of the fleet. */
  readonly node: string | null;
  readonly access: AgentAccess;
  readonly clock: Clock;
}

export interface Reached extends AsyncDisposable {
  readonly observed: ObservedState;
  /** Asks the same nodes again. */
  look(signal: AbortSignal): Promise<ObservedState>;
  readonly agents: Agents;
  /** Null: a single agent was asked, and nothing is known of manifests. */
  readonly fleet: Fleet | null;
}

export interface ReachedFleet extends Reached {
  readonly fleet: Fleet;
}

export const reachNodes = (request: ReachRequest, signal: AbortSignal): Promise<Reached> =>
  request.agent === null ? reachFleet(request, signal) : reachAgent(request.agent, request, signal);

export async function reachFleet(
  { location, node, access, clock }: Omit<ReachRequest, "agent">,
  signal: AbortSignal,
): Promise<ReachedFleet> {
  const fleet = await loadFleet(location, signal);
  const all = fleet.desired.nodes;
  const nodes = node === null ? all : [requireNode(all, node)];
  const agents = await connectAgents(nodes, access, fleet.specs);
  try {
    const look = (signal: AbortSignal) => observeAgents(nodes, agents, { access, clock, signal });
    const observed = await look(signal);
    return { observed, look, agents, fleet, [Symbol.asyncDispose]: () => agents[Symbol.asyncDispose]() };
  } catch (error) {
    await agents[Symbol.asyncDispose]();
    throw error;
  }
}

function requireNode(nodes: readonly DesiredNode[], name: string): DesiredNode {
  const found = nodes.find((node) => node.name === name);
  if (found) return found;
  throw new OdoroboError("NOT_FOUND", `the manifests name no node ${name}`, {
    hint: `there is ${nodes.map((node) => node.name).join(", ") || "none"}`,
  });
}

async function reachAgent(address: string, { access, clock }: ReachRequest, signal: AbortSignal): Promise<Reached> {
  const client: AgentClient = connectAgent({ ...access, address });
  const look = async (signal: AbortSignal): Promise<ObservedState> => {
    const report = await client.report(signal);
    return { at: clock.now(), nodes: [{ name: report.node.name, reach: "answered", report }] };
  };
  try {
    const observed = await look(signal);
    const agents: Agents = { of: () => client, [Symbol.asyncDispose]: () => client.close() };
    return { observed, look, agents, fleet: null, [Symbol.asyncDispose]: () => client.close() };
  } catch (error) {
    await client.close();
    throw error;
  }
}
