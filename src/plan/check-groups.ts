/**
 * Whether some order that the DAG allows could have more members of a group down at once than the group permits.
 *
 * A member is down from the start of its first step to the end of its last. The most that can be down together is the
 * largest set of members none of which must wait for another: by Dilworth's theorem the number of chains that cover
 * them, found with a maximum matching.
 */
import type { Change } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import type { VmName } from "../model/names.ts";
import { isOfVm, type Step } from "../schedule/step.ts";
import type { Plan } from "./plan-document.ts";

const TAKES_DOWN: ReadonlySet<string> = new Set(["reboot", "stop", "replace"]);
const takesDown = ({ action, class: changeClass }: Change): boolean =>
  TAKES_DOWN.has(action) || (action === "migrate" && changeClass === "reboot");

export function findCrowdedGroups(plan: Plan, desired: DesiredState): string[] {
  const down = new Set(plan.changes.filter(takesDown).map((change) => change.name));
  const groupOf = new Map(desired.vms.map((vm) => [vm.name, vm.spec.group]));
  const byId = new Map(plan.steps.map((step) => [step.id, step]));
  return desired.groups.flatMap((group) => {
    const members = [...down].filter((name) => (plan.specs[name]?.group ?? groupOf.get(name)) === group.name);
    if (members.length <= group.maxUnavailable) return [];
    const most = members.length - matching(members, waitsFor(members, plan.steps, byId));
    return most > group.maxUnavailable
      ? [`${most} members of ${group.name} could be down at once; it allows ${group.maxUnavailable}`]
      : [];
  });
}

/** member → members whose last step must have ended before its first step starts */
function waitsFor(
  members: readonly VmName[],
  steps: readonly Step[],
  byId: ReadonlyMap<string, Step>,
): Map<VmName, VmName[]> {
  const lastStep = new Map<VmName, string>();
  const firstStep = new Map<VmName, string>();
  for (const step of steps) {
    if (!isOfVm(step)) continue;
    if (!firstStep.has(step.vm)) firstStep.set(step.vm, step.id);
    lastStep.set(step.vm, step.id);
  }
  const result = new Map<VmName, VmName[]>();
  for (const member of members) {
    const before = new Set<string>();
    const waiting = [...(byId.get(firstStep.get(member) ?? "")?.after ?? [])];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (before.has(id)) continue;
      before.add(id);
      waiting.push(...(byId.get(id)?.after ?? []));
    }
    result.set(
      member,
      members.filter((other) => other !== member && before.has(lastStep.get(other) ?? "")),
    );
  }
  return result;
}

/** Size of a maximum matching in which each member follows at most one other and is followed by at most one. */
function matching(members: readonly VmName[], edges: ReadonlyMap<VmName, readonly VmName[]>): number {
  const follower = new Map<VmName, VmName>();
  const tryMatch = (member: VmName, seen: Set<VmName>): boolean => {
    for (const other of edges.get(member) ?? []) {
      if (seen.has(other)) continue;
      seen.add(other);
      const rival = follower.get(other);
      if (rival === undefined || tryMatch(rival, seen)) {
        follower.set(other, member);
        return true;
      }
    }
    return false;
  };
  return members.filter((member) => tryMatch(member, new Set())).length;
}
