/**
 * Whether a guest that went down with its host is started when the host is back. Pure.
 *
 * The rule: nothing is started here that may run elsewhere. A node that was away may have been fenced and its VMs started
 * on others, and nobody could tell this agent. So it starts what nobody else can have started: VMs of no fleet, and VMs of
 * a fleet that has no other node. ADR 0013 says what remains.
 */
import type { NodeName } from "../../../model/names.ts";
import type { Whereabouts } from "../../../model/observed-state.ts";
import type { StartAfterReboot } from "../../config.ts";
import type { RestartRecord, VmRecord } from "../../store/vm-record.ts";
import { type Moment, mayStartAgain } from "../guest/restart-policy.ts";

export const HOST_RESTARTED = "the host was restarted";

export interface AfterReboot {
  readonly restart: RestartRecord | null;
  /** For people: why it is off, and what it waits for. */
  readonly reason: string;
}

export interface NodeFacts {
  readonly node: NodeName;
  readonly choice: StartAfterReboot;
  readonly whereabouts: readonly Whereabouts[];
}

/** `vm`: as it was when the host went down. */
export function afterReboot(vm: VmRecord, facts: NodeFacts, { now, hostBootId }: Moment): AfterReboot {
  const stays = (why: string): AfterReboot => ({ restart: null, reason: HOST_RESTARTED + why });
  if (vm.phase === "paused") return stays(" while it was paused: it stays off until somebody starts it");
  if (!mayStartAgain(vm, false)) return stays("");
  if (facts.choice === "never") return stays(", and this agent is told to start nothing after that");
  const doubt = facts.choice === "always" ? null : whoElse(vm, facts);
  if (doubt !== null) return stays(`; ${doubt}: it waits for the next apply`);
  return { restart: { attempts: 0, nextAt: now, givenUp: false, hostBootId }, reason: HOST_RESTARTED };
}

/** Who may have started it meanwhile; null: nobody can have. */
function whoElse(vm: VmRecord, { node, whereabouts }: NodeFacts): string | null {
  if (vm.fleet === null) return null;
  const nodes = whereabouts.find((told) => told.fleet === vm.fleet)?.nodes;
  if (nodes === undefined) return `whether another node of fleet ${vm.fleet} runs it by now is not known here`;
  const isAlone = nodes.length === 1 && nodes[0] === node;
  return isAlone ? null : `another node of fleet ${vm.fleet} may run it by now`;
}
