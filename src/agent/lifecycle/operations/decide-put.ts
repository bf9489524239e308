/**
 * The rules of PUT: generations only go up, and what is not one's own stays as it is. Pure; asked by `decide.ts`.
 *
 * Invariant: of two applies that carry different specs under the same generation exactly one wins, whichever comes first.
 */

import { sameValue } from "../../../model/fields.ts";
import type { VmName } from "../../../model/names.ts";
import type { PutVmRequest } from "../../../wire/operations.ts";
import type { StoredVm, VmRecord } from "../../store/vm-record.ts";
import { type Decision, refuse } from "../parts/decision.ts";
import { byWhom, holderOf, PLAN_AGAIN, refuseForeign, refuseUnexpected } from "./refusals.ts";

export function decidePut(name: VmName, request: PutVmRequest, state: StoredVm | null): Decision {
  if (state === null)
    return request.expect === null
      ? { decision: "act", kind: "create" }
      : refuse("STALE_GENERATION", `there is no VM ${name} on this node, you had seen one`, PLAN_AGAIN);
  const foreign = refuseForeign(name, request.fleet, state);
  // One made by hand can be taken over, by a caller that says which one it has seen.
  if (foreign && !(state.fleet === null && request.expect !== null)) return foreign;
  if (state.state === "tombstone") {
    if (request.generation <= state.generation)
      return refuse(
        "STALE_GENERATION",
        `${name} was deleted at generation ${state.generation} (${holderOf(state)}), the request has ${request.generation}`,
        "bring it back with a generation above that: odorobo plan knows it",
      );
    return refuseUnexpected(name, request.expect, state) ?? { decision: "act", kind: "create" };
  }
  // It lives nowhere, says whoever applies, and nothing of it is here: a new one may have its name.
  if (hasLeftNothing(state) && request.expect === null && request.generation > state.generation)
    return { decision: "act", kind: "create" };
  if (request.generation < state.generation) return staleGeneration(name, request, state);
  if (request.generation === state.generation)
    return sameValue(request.spec, state.spec)
      ? { decision: "no-op", kind: "update" }
      : staleGeneration(name, request, state);
  return refuseUnexpected(name, request.expect, state) ?? { decision: "act", kind: "update" };
}

/** It moved away, and has no disks here. */
const hasLeftNothing = ({ migration, left }: VmRecord): boolean =>
  migration?.stage === "left" && left !== undefined && left.bytes === 0;

const staleGeneration = (name: VmName, request: PutVmRequest, state: StoredVm): Decision =>
  byWhom(
    state,
    refuse(
      "STALE_GENERATION",
      request.generation === state.generation
        ? `${name} has another spec of generation ${state.generation} already (${holderOf(state)})`
        : `${name} is at generation ${state.generation} (${holderOf(state)}), the request has ${request.generation}`,
      "somebody else was faster: look again with odorobo plan",
    ),
  );
