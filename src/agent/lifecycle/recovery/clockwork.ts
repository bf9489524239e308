/** What the agent does by the clock, until it stops: expired tombstones are purged, guests that are due are started again, and those that waited for room go on. */

import { settleNetworks } from "../guest/placed-nics.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { createLetGoOn } from "./let-go-on.ts";
import { Restarts } from "./restarts.ts";
import { startAgain } from "./start-again.ts";
import type { Sweep } from "./sweep.ts";

export interface Pace {
  /** How often expired tombstones are looked for. */
  readonly sweepEveryMs?: number;
  /** How often it is looked whether a guest is to be started again. */
  readonly restartEveryMs?: number;
  /** How often it is looked whether there is room for guests that stand still without. */
  readonly roomEveryMs?: number;
  /** How often it is looked whether guests' networks stand as they should. */
  readonly networksEveryMs?: number;
}

/** Retention is counted in days; a minute late harms nobody. */
const SWEEP_EVERY_MS = 60_000;
/** The first start again is due after a second. */
const RESTART_EVERY_MS = 250;
/** Asking a file system for its room takes microseconds; a guest that waited for a person does not notice seconds. */
const ROOM_EVERY_MS = 2_000;

/** A guest without its network loses connections after some tens of seconds. */
const NETWORKS_EVERY_MS = 5_000;

/** Sweeps at once, then goes on; returns the function that ends it. */
export function startClockwork(
  parts: Parts,
  slots: ReadonlyMap<string, Slot>,
  sweep: Sweep,
  {
    sweepEveryMs = SWEEP_EVERY_MS,
    restartEveryMs = RESTART_EVERY_MS,
    roomEveryMs = ROOM_EVERY_MS,
    networksEveryMs = NETWORKS_EVERY_MS,
  }: Pace,
): () => void {
  const sweepAll = () => {
    void parts.reserve.refill();
    sweep([...slots.values()]);
  };
  sweepAll();
  const letGoOn = createLetGoOn(parts);
  const restarts = new Restarts(parts, (slot) => startAgain(parts, slot));
  const timers = [
    setInterval(sweepAll, sweepEveryMs),
    setInterval(() => restarts.look(slots.values()), restartEveryMs),
    setInterval(() => letGoOn(slots.values()), roomEveryMs),
    setInterval(() => void settleNetworks(parts), networksEveryMs),
  ];
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
