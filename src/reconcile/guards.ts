/** What forbids a whole plan: budgets on how bad a change may be, and guards against deleting much by mistake. */
import { type ChangeClass, isWorse } from "../model/change-class.ts";
import type { FleetPolicy } from "../model/desired-state.ts";
import type { Change, Refusal } from "./plan-document.ts";

/** What the caller allows for this one plan. Null: what the fleet's policy says. */
export interface Allowances {
  readonly maxClass: ChangeClass | null;
  readonly allowDestroy: number | null;
}

/** Whether VMs may be made anew without their disks. */
export function allowsReplace(policy: FleetPolicy, allowed: Allowances): boolean {
  const maxClass = allowed.maxClass ?? policy.maxClass;
  return maxClass !== null && !isWorse("replace", maxClass);
}

/** `fleetSize`: how many VMs of this fleet exist; the percentage is of them. */
export function findRefusals(
  changes: readonly Change[],
  policy: FleetPolicy,
  allowed: Allowances,
  fleetSize: number,
): Refusal[] {
  const refusals: Refusal[] = [];
  const maxClass = allowed.maxClass ?? policy.maxClass;
  const tooMuch = changes.filter((change) =>
    maxClass === null ? change.class === "replace" : isWorse(change.class, maxClass),
  );
  if (tooMuch.length > 0) {
    const said =
      maxClass === null
        ? "no VM is replaced unless that is asked for, because its local disks stay behind"
        : `at most ${maxClass} is allowed`;
    const worst = tooMuch.reduce((a, b) => (isWorse(b.class, a.class) ? b : a)).class;
    refusals.push({
      code: "PLAN_REFUSED",
      message: `${said}: ${listNames(tooMuch)} would need ${worst}`,
      hint: `leave them out (--exclude), or allow it: --max-class ${worst}`,
    });
  }
  const lost = changes.filter((change) => change.class === "destroy" || change.class === "replace");
  const { percent, count } = policy.destroyGuard;
  const limit = Math.max(Math.floor((fleetSize * percent) / 100), count);
  if (lost.length > limit && lost.length > (allowed.allowDestroy ?? 0)) {
    refusals.push({
      code: "PLAN_REFUSED",
      message: `${lost.length} of ${fleetSize} VMs would be destroyed or replaced; without being asked, at most ${limit} are: ${listNames(lost)}`,
      hint: `look at the list; if it is right: --allow-destroy ${lost.length}`,
    });
  }
  return refusals;
}

function listNames(changes: readonly Change[]): string {
  const names = changes.map((change) => change.name);
  return names.length <= 5 ? names.join(", ") : `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`;
}
