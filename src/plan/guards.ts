/** What forbids a whole plan: budgets on how bad a change may be, and guards against deleting much by mistake. */
import { type ChangeClass, isWorse } from "../model/change-class.ts";
import type { Change } from "../model/changes.ts";
import { DEFAULT_DESTROY_COUNT, type DesiredState, type FleetPolicy } from "../model/desired-state.ts";
import type { Refusal } from "./plan-document.ts";
import { ruleFor } from "./windows.ts";

/** What the caller allows for this one plan. Null: what the fleet's policy says. */
export interface Allowances {
  readonly maxClass: ChangeClass | null;
  readonly allowDestroy: number | null;
  /** Nothing waits for a window. */
  readonly outsideWindows?: boolean;
}

/** Whether VMs may be made anew without their disks. */
export function allowsReplace({ maxClass: most, disruption }: FleetPolicy, allowed: Allowances): boolean {
  const maxClass = allowed.maxClass ?? most;
  const says = disruption?.replace?.says;
  if (says === "refuse") return false;
  return maxClass === null ? says !== undefined : !isWorse("replace", maxClass);
}

/** Whether guests may be moved. */
export function allowsMoves({ maxClass: most, disruption }: FleetPolicy, allowed: Allowances): boolean {
  const maxClass = allowed.maxClass ?? most;
  if (disruption?.migrate?.says === "refuse") return false;
  return maxClass === null || !isWorse("migrate", maxClass);
}

/** Whether a guest may be stopped to be moved, where it cannot be moved as it runs. */
export function allowsReboot({ maxClass: most, disruption }: FleetPolicy, allowed: Allowances): boolean {
  const maxClass = allowed.maxClass ?? most;
  return disruption?.reboot?.says !== "refuse" && (maxClass === null || !isWorse("reboot", maxClass));
}

export interface FleetAtStake {
  /** How many VMs of this fleet exist. */
  readonly size: number;
  /** The whole plan is a deletion that a person asked for by name (`odorobo destroy`): a third of a small fleet is no surprise then. */
  readonly deletionIsAsked: boolean;
}

export function findRefusals(
  changes: readonly Change[],
  desired: DesiredState,
  allowed: Allowances,
  fleet: FleetAtStake,
): Refusal[] {
  const refusals: Refusal[] = [];
  const { policy } = desired.fleet;
  const isAnnounced = policy.disruption?.replace !== undefined;
  const maxClass = allowed.maxClass ?? policy.maxClass;
  const tooMuch = changes.filter((change) =>
    maxClass === null ? change.class === "replace" && !isAnnounced : isWorse(change.class, maxClass),
  );
  if (tooMuch.length > 0) {
    const said =
      maxClass === null
        ? "no VM is replaced unless that is asked for: it is deleted and made anew, and its local disks stay behind"
        : `at most ${maxClass} is allowed`;
    const worst = tooMuch.reduce((a, b) => (isWorse(b.class, a.class) ? b : a)).class;
    refusals.push({
      code: "PLAN_REFUSED",
      message: `${said}: ${listNames(tooMuch)} would need ${worst}`,
      hint: `leave them out (--exclude), or allow it: --max-class ${worst}`,
    });
  }
  refusals.push(...findForbidden(changes, desired));
  const lost = changes.filter((change) => change.class === "destroy" || change.class === "replace");
  const limit = mostLost(policy, fleet);
  if (lost.length > limit && lost.length > (allowed.allowDestroy ?? 0)) {
    refusals.push({
      code: "PLAN_REFUSED",
      message: `${lost.length} of ${fleet.size} VMs would be destroyed or replaced; ${sayLimit(limit, allowed.allowDestroy)}: ${listNames(lost)}`,
      hint: `look at the list; if it is right: --allow-destroy ${lost.length}`,
    });
  }
  return refusals;
}

/** Classes that the fleet's policy refuses, each with whom it would have been. No flag allows them: a reviewed line of the manifests does. */
function findForbidden(changes: readonly Change[], desired: DesiredState): Refusal[] {
  const forbidden = changes.filter((change) => ruleFor(desired, change)?.says === "refuse");
  return [...Map.groupBy(forbidden, (change) => change.class)].sort().map(([each, those]) => {
    const source = ruleFor(desired, those[0] as Change)?.source ?? null;
    return {
      code: "PLAN_REFUSED",
      message: `the fleet's policy refuses ${each}: ${listNames(those)} would need it`,
      hint: `leave them out (--exclude), or change policy.disruption.${each} in the fleet's manifest`,
      ...(source === null ? {} : { source }),
    };
  });
}

const sayLimit = (limit: number, allowDestroy: number | null): string =>
  allowDestroy === null || allowDestroy <= limit
    ? `without being asked, at most ${limit} are`
    : `--allow-destroy lets ${allowDestroy} go`;

/** How many VMs go without being asked for. One always may, or nothing could be deleted in a fleet of two. */
function mostLost({ destroyGuard: { percent, count } }: FleetPolicy, { size, deletionIsAsked }: FleetAtStake): number {
  const third = deletionIsAsked ? DEFAULT_DESTROY_COUNT : Math.max(1, Math.floor(size / 3));
  return Math.max(Math.floor((size * percent) / 100), count ?? Math.min(DEFAULT_DESTROY_COUNT, third));
}

function listNames(changes: readonly Change[]): string {
  const names = changes.map((change) => change.name);
  return names.length <= 5 ? names.join(", ") : `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`;
}
