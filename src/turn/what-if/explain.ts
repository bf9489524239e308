/** What a plan means for one VM: made of the fleet as it is, or of a snapshot. Nothing is changed, and nothing saved. */
import type { VmName } from "../../model/names.ts";
import { fromSnapshot } from "../../plan/snapshot.ts";
import { type Explanation, explainVm } from "../../what-if/explain-vm.ts";
import { type PlanRequest, planFleet } from "../plan-fleet.ts";
import { planFromSnapshot, readSnapshot } from "./snapshots.ts";

/** Rejects with NOT_FOUND, and as planning does. */
export async function explainFleetVm(vm: VmName, request: PlanRequest, signal: AbortSignal): Promise<Explanation> {
  await using planned = await planFleet(request, signal);
  return explainVm(vm, planned.plan, planned.fleet.desired, planned.observed);
}

/** Rejects with NOT_FOUND and SNAPSHOT_INVALID. Asks nobody. */
export async function explainSnapshotVm(
  vm: VmName,
  path: string,
  choice: Pick<PlanRequest, "allowances">,
): Promise<Explanation> {
  const snapshot = await readSnapshot(path);
  const { desired, observed } = fromSnapshot(snapshot);
  return explainVm(vm, planFromSnapshot(snapshot, { ...choice, selection: null, assumptions: [] }), desired, observed);
}
