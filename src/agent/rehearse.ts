/** Agents in memory for a whole fleet: what they take and refuse is decided as by real ones, and no process is started. For simulations. */
import type { ObservedState } from "../model/observed-state.ts";
import type { Clock } from "../platform/clock.ts";
import { RehearsedFleet } from "./rehearsal/rehearsed-fleet.ts";

/** Begins as it was seen; nodes that were silent stay so. */
export const rehearse = (observed: ObservedState, clock: Clock): RehearsedFleet => new RehearsedFleet(observed, clock);
