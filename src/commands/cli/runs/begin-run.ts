/** Every apply is a run with an id: kept where it can be taken up again, or, where there is no place, only for as long as it lasts. */
import { resolve } from "node:path";
import type { Limits } from "../../../apply/ready-queue.ts";
import { isOdoroboError } from "../../../model/errors.ts";
import type { Instant } from "../../../model/names.ts";
import type { Plan } from "../../../plan/plan-document.ts";
import { stateFolder } from "../../../platform/state-folder.ts";
import type { RunClaim, RunStore } from "../../../run/run-store.ts";
import type { AgentAccess } from "../../../turn/connect-agents.ts";
import type { FleetLocation } from "../../../turn/read-fleet.ts";
import { placeOfState } from "../next-command.ts";
import type { Screen } from "../screen/terminal.ts";

export interface RunPlace {
  /** As the user said; undefined: where such things are kept. */
  readonly state: string | undefined;
  readonly location: FleetLocation;
  readonly access: AgentAccess;
}

export async function openRuns(state: string | undefined): Promise<RunStore> {
  const { FileRunStore } = await import("../../../run-store/file-run-store.ts");
  return new FileRunStore(state === undefined ? stateFolder() : resolve(state));
}

export interface BegunRun {
  readonly claim: RunClaim;
  readonly isKept: boolean;
}

/** Rejects with FILE_UNWRITABLE when the run cannot be kept where the user said. */
export async function beginRun(
  screen: Screen,
  plan: Plan,
  { place, limits, at }: { readonly place: RunPlace; readonly limits: Limits; readonly at: Instant },
): Promise<BegunRun> {
  const { begunRun } = await import("../../../turn/runs/begun-run.ts");
  const begun = begunRun(plan, { ...place, limits, at });
  const { memoryRun } = await import("../../../run-store/memory-run.ts");
  if (plan.steps.length === 0) return { claim: memoryRun(plan, begun), isKept: false };
  try {
    const claim = await (await openRuns(place.state)).create(plan, begun);
    screen.note(
      `Run ${claim.id}. Should this end early: odorobo runs attach${place.state === undefined ? "" : ` ${placeOfState(place.state)}`}`,
    );
    return { claim, isKept: true };
  } catch (error) {
    if (!isOdoroboError(error, "FILE_UNWRITABLE") || place.state !== undefined) throw error;
    screen.note(`${error.message}: it goes on, and cannot be taken up again should it end early. ${error.hint}.`);
    return { claim: memoryRun(plan, begun), isKept: false };
  }
}
