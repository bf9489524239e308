/** A plan in one line: what every view of it begins with. */
import { CHANGE_CLASSES } from "../../model/change-class.ts";
import type { Action } from "../../model/changes.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { plural } from "../words/names.ts";

/** In the order of a sentence, not of severity. */
const IN_ORDER: readonly Action[] = ["create", "boot", "update", "migrate", "reboot", "stop", "replace", "destroy"];

/** `2 to create, 1 to update (live); 12 unchanged, 3 unknown`: what is none is not said. */
export function summarize(plan: Plan): string {
  const todo = IN_ORDER.filter((action) => plan.summary[action] > 0).map(
    (action) => `${plan.summary[action]} to ${action}${action === "update" ? describeClasses(plan) : ""}`,
  );
  const rest = (["unchanged", "blocked", "unknown"] as const)
    .filter((state) => plan.summary[state] > 0)
    .map((state) => `${plan.summary[state]} ${state}`);
  if (plan.waiting !== undefined) rest.push(`${plan.waiting.length} waiting for a window`);
  return [todo.join(", "), rest.join(", ")].filter((part) => part !== "").join("; ");
}

function describeClasses(plan: Plan): string {
  const updates = plan.changes.filter((change) => change.action === "update");
  const counts = CHANGE_CLASSES.map(
    (each) => [each, updates.filter((change) => change.class === each).length] as const,
  );
  const present = counts.filter(([, count]) => count > 0);
  if (present.length <= 1) return present.map(([each]) => ` (${each})`).join("");
  return ` (${present.map(([each, count]) => `${count} ${each}`).join(", ")})`;
}

export const titleOfBlocked = ({ changes }: Plan): string =>
  changes.length === 0 ? "Blocked" : "Blocked (the rest of the plan stands)";

/** What stands where the changes would, when there are none. Never says "ok" of what was not seen. */
export function describeNothing(plan: Plan): string {
  const { unchanged, unknown, blocked } = plan.summary;
  const selected = plan.base.selection === null ? "" : "selected ";
  const asSaid = `${plural(unchanged, `${selected}VM`)} ${unchanged === 1 ? "is" : "are"} as the manifests say`;
  const good = unchanged === 0 ? [] : [asSaid];
  if (plan.refusals.length > 0) return "Refused: nothing is planned.";
  if (blocked > 0) {
    const who = unchanged === 0 ? plural(blocked, `${selected}VM`) : String(blocked);
    return `Nothing can be done: ${[...good, `${who} ${blocked === 1 ? "is" : "are"} blocked`].join(", ")}.`;
  }
  const later = plan.waiting?.length ?? 0;
  if (later > 0 && plan.unknown.length === 0)
    return `Nothing to do now: ${[...good, `${plural(later, "change")} ${later === 1 ? "waits" : "wait"} for a window`].join(", ")}.`;
  if (plan.unknown.length > 0) {
    const unseen = unknown > 0 ? `${plural(unknown, "VM")} could not be seen` : describeUnseenNodes(plan);
    return `Nothing to do as far as could be seen: ${[...good, unseen].join("; ")}.`;
  }
  return `Nothing to do: ${asSaid}.`;
}

function describeUnseenNodes(plan: Plan): string {
  const nodes = plan.unknown.filter((each) => each.kind === "Node").length;
  return `${plural(nodes, "node")} could not be seen`;
}

/** `./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, only web-*` */
export function describeBase(plan: Plan): string {
  const { source, commit, selection, observedAt, assumed = [] } = plan.base;
  const parts = [commit === null ? source : `${source} at commit ${commit.slice(0, 12)}`, `seen at ${observedAt}`];
  if (selection && selection.targets.length > 0) parts.push(`only ${selection.targets.join(" ")}`);
  if (selection && selection.excludes.length > 0) parts.push(`without ${selection.excludes.join(" ")}`);
  if (plan.base.outsideWindows) parts.push("whatever the windows");
  if (assumed.length > 0) parts.push(`assuming ${assumed.join(" ")}`);
  return parts.join(", ");
}
