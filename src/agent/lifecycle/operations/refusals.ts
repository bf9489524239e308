/** Refusals that PUT and the operations share: not yours, and not as you had seen it. Pure. */
import type { Instant, VmName } from "../../../model/names.ts";
import type { Expectation } from "../../../wire/operations.ts";
import type { StoredVm } from "../../store/vm-record.ts";
import { type Refusal, type Request, refuse } from "../parts/decision.ts";
import type { Operation } from "../parts/slot.ts";

/** A fleet touches only what is its own; a person (null) may touch anything. */
export function refuseForeign(name: VmName, fleet: string | null, state: StoredVm | null): Refusal | null {
  if (state === null || fleet === null || state.fleet === fleet) return null;
  const what = state.state === "tombstone" ? "deleted, disks kept" : "present";
  return state.fleet === null
    ? refuse("FLEET_MISMATCH", `${name} was made by hand on this node (${what}), not by fleet ${fleet}`, FOREIGN_HINT)
    : refuse(
        "FLEET_MISMATCH",
        `${name} on this node belongs to fleet ${state.fleet} (${what}), not ${fleet}`,
        FOREIGN_HINT,
      );
}

const FOREIGN_HINT = "give the VM another name in the manifests, or remove the one on the node by hand";

/** What the caller saw when it decided must still be so. */
export function refuseUnexpected(name: VmName, expect: Expectation | null, state: StoredVm): Refusal | null {
  if (expect === null) return null;
  if (expect.generation !== state.generation)
    return byWhom(
      state,
      refuse(
        "STALE_GENERATION",
        `${name} is at generation ${state.generation} (${holderOf(state)}), you had seen ${expect.generation}`,
        PLAN_AGAIN,
      ),
    );
  if (expect.serial === state.serial) return null;
  const now = state.state === "tombstone" ? `deleted since ${state.deletedAt}` : `${state.phase} since ${state.since}`;
  return byWhom(
    state,
    refuse("STALE_SERIAL", `${name} is at serial ${state.serial} (${now}), you had seen ${expect.serial}`, PLAN_AGAIN),
  );
}

/** With the run whose step was the last act on this VM, where it was a run's. */
export function byWhom(state: StoredVm, refusal: Refusal): Refusal {
  const last = state.completed.at(-1);
  if (last?.run === undefined || last.at === undefined) return refusal;
  return {
    ...refusal,
    message: `${refusal.message}; the run ${last.run} has done its step ${last.id} at ${last.at}`,
    conflict: { run: last.run, step: last.id, since: last.at },
  };
}

/**
 * What a run's step meets that comes while another run's is under way on the same VM: once that has ended, the VM is not as the
 * second had seen it. Told at once, for the first may take minutes. Null: nothing is in its way.
 */
export function refuseHeld(
  name: VmName,
  request: Request,
  activity: (Operation & { readonly begunAt: Instant }) | null,
): Refusal | null {
  if (request.run === undefined || activity?.run === undefined || activity.run === request.run) return null;
  const { run, id: step, begunAt: since } = activity;
  return {
    ...refuse(
      "STALE_SERIAL",
      `${name} is in the hands of the run ${run}, with its step ${step}, since ${since}`,
      PLAN_AGAIN,
    ),
    conflict: { run, step, since },
  };
}

export const PLAN_AGAIN = "something happened to it since: look again with odorobo plan";

/** Whose spec it is that stands. */
export const holderOf = (state: StoredVm): string => {
  const fleet = state.fleet === null ? "made by hand" : `fleet ${state.fleet}`;
  const commit = state.state === "present" && state.commit !== null ? `, commit ${state.commit.slice(0, 12)}` : "";
  return `${fleet}${commit}`;
};
