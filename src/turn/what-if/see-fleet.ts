/** The fleet as it is, or as a snapshot says it was: for questions that need no plan. Nobody is asked for anything but what they have. */
import type { DesiredState } from "../../model/desired-state.ts";
import type { ObservedState } from "../../model/observed-state.ts";
import { fromSnapshot } from "../../plan/snapshot.ts";
import type { Clock } from "../../platform/clock.ts";
import type { AgentAccess } from "../connect-agents.ts";
import { reachFleet } from "../reach-nodes.ts";
import type { FleetLocation } from "../read-fleet.ts";
import { readSnapshot } from "./snapshots.ts";

export interface SeenFleet {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  readonly source: string;
  readonly commit: string | null;
}

export interface SeeRequest {
  /** A snapshot; null: the agents are asked. */
  readonly from: string | null;
  readonly location: FleetLocation;
  readonly access: AgentAccess;
  readonly clock: Clock;
}

/** Rejects with SNAPSHOT_INVALID, and as reading a fleet does. */
export async function seeFleet(request: SeeRequest, signal: AbortSignal): Promise<SeenFleet> {
  if (request.from !== null) {
    const snapshot = await readSnapshot(request.from);
    const { source, commit } = snapshot;
    return { ...fromSnapshot(snapshot), source, commit };
  }
  await using reached = await reachFleet({ ...request, node: null }, signal);
  const { desired, source, commit } = reached.fleet;
  return { desired, observed: reached.observed, source, commit };
}
