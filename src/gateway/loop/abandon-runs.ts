/** Runs that an earlier loop of the same fleet began, that nobody executes and nobody remembers: the next plan does what is left of them, so they end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../platform/clock.ts";
import { whoami } from "../../platform/whoami.ts";
import { decide } from "../../run/decide.ts";
import type { RunOrigin } from "../../run/journal.ts";
import type { KnownRun, RunClaim, RunStore } from "../../run/run-store.ts";
import type { FleetLocation } from "../../turn/read-fleet.ts";
import { originOf } from "../../turn/runs/begun-run.ts";
import { toAppend } from "../../turn/runs/command-run.ts";

/** Together longer than an answer takes to be written down. */
const CLAIM_TRIES = 50;
const CLAIM_MS = 100;

export interface Abandoning {
  /** As `LiveWorld` was told. */
  readonly who: string;
  readonly location: FleetLocation;
  readonly clock: Clock;
  /** Ids of those that are carried on. */
  readonly remembered: ReadonlySet<string>;
}

export async function abandonRuns(runs: RunStore, { who, location, clock, remembered }: Abandoning): Promise<void> {
  const ours = originOf(location);
  const isOurs = ({ id, state, isExecuted }: KnownRun) =>
    !isExecuted &&
    state.outcome === null &&
    !remembered.has(id) &&
    state.begun.by.startsWith(`odorobo ${who} of `) &&
    isSamePlace(state.begun.origin.location, ours);
  for (const { id } of (await runs.list()).runs.filter(isOurs)) {
    await using claim = await claimSoon(runs, id);
    if (claim === null) continue;
    const at = clock.now();
    const { wish, approvedBy, steps } = claim.state();
    const isNotBegun = wish === "ask" || (approvedBy !== null && steps.size === 0);
    if (isNotBegun) claim.append({ event: "ended", at, outcome: "replaced", reason: "a new loop asks anew" });
    else {
      const decision = decide(claim.state(), { kind: "abort", at, by: `${whoami()}, which plans anew` }, "nobody");
      for (const event of toAppend(decision)) claim.append(event);
    }
  }
}

/** Whoever answers a run that nobody is at has it for a moment. Null: somebody has taken it up. */
async function claimSoon(runs: RunStore, id: string): Promise<RunClaim | null> {
  for (let tries = 1; ; tries++) {
    const claim = await runs.claim(id);
    if (claim !== null || tries === CLAIM_TRIES) return claim;
    await sleep(CLAIM_MS);
  }
}

function isSamePlace(a: RunOrigin["location"], b: RunOrigin["location"]): boolean {
  if (a.kind === "folder" || b.kind === "folder") return a.kind === b.kind && a.path === b.path;
  return a.url === b.url && a.path === b.path;
}
