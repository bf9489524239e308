/** Before a node is declared off: does anybody answer there? */
import type { DesiredNode } from "../model/desired-state.ts";
import { type ErrorCode, OdoroboError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { type AgentAccess, connectAgents, observeAgents } from "./connect-agents.ts";
import type { Fleet } from "./read-fleet.ts";

/** Nothing came back. Whatever else an agent says, or whoever says it, somebody is there. */
const SILENCE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["AGENT_UNREACHABLE", "AGENT_TIMEOUT"]);

/** Rejects with NODE_ANSWERS. */
export async function requireSilence(
  node: DesiredNode,
  fleet: Fleet,
  access: AgentAccess,
  signal: AbortSignal,
): Promise<void> {
  await using agents = await connectAgents([node], access, fleet.specs);
  const { nodes } = await observeAgents([node], agents, { access, clock: systemClock, signal });
  const [seen] = nodes;
  if (seen?.reach === "silent" && seen.code !== undefined && SILENCE.has(seen.code)) return;
  const what = seen?.reach === "silent" ? `it is not off: ${seen.error}` : "its agent answers";
  throw new OdoroboError("NODE_ANSWERS", `${node.name} is not fenced, for ${what}`, {
    hint: `to take no new VMs: odorobo node cordon ${node.name}; to work on it: odorobo node drain ${node.name}`,
  });
}
