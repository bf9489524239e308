/** Runs that an earlier loop of the same fleet began and nobody executes: the next plan does what is left of them, so they end. */
import { resolve } from "node:path";
import type { Clock } from "../../platform/clock.ts";
import { whoami } from "../../platform/whoami.ts";
import { decide } from "../../run/decide.ts";
import type { KnownRun, RunStore } from "../../run/run-store.ts";

/** `who`: as `LiveWorld` was told. `folder`: where the manifests are. Returns their ids. */
export async function abandonRuns(
  runs: RunStore,
  { who, folder, clock }: { readonly who: string; readonly folder: string; readonly clock: Clock },
): Promise<readonly string[]> {
  const isOurs = ({ state, isExecuted }: KnownRun) =>
    !isExecuted &&
    state.outcome === null &&
    state.begun.by.startsWith(`odorobo ${who} of `) &&
    state.begun.origin.location.kind === "folder" &&
    state.begun.origin.location.path === resolve(folder);
  const abandoned: string[] = [];
  for (const { id } of (await runs.list()).runs.filter(isOurs)) {
    await using claim = await runs.claim(id);
    if (claim === null) continue;
    const by = `${whoami()}, which plans anew`;
    const decision = decide(claim.state(), { kind: "abort", at: clock.now(), by }, "nobody");
    if (decision.next !== "stop") continue;
    for (const event of decision.append) claim.append(event);
    abandoned.push(id);
  }
  return abandoned;
}
