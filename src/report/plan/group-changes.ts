/** Twenty VMs that change alike are one thing to read: groups of changes with the same action, class and reasons. */
import type { Change, Reason } from "../../model/changes.ts";

export interface ChangeGroup {
  /** At least one, in the plan's order. */
  readonly changes: readonly Change[];
  /** The reasons of all of them; names that differ are replaced by "the VM" and "its node". */
  readonly reasons: readonly GroupedReason[];
}

export interface GroupedReason extends Reason {
  /** The changes say it in different places; `source` is the first. */
  readonly elsewhereToo: boolean;
}

/** Fewer than this are shown one by one: a line each is read faster than a rule. */
const SMALLEST_GROUP = 4;

export function groupChanges(changes: readonly Change[]): ChangeGroup[] {
  const alike = new Map<string, Change[]>();
  for (const change of changes) {
    const key = likeness(change);
    const known = alike.get(key);
    if (known) known.push(change);
    else alike.set(key, [change]);
  }
  const groups: ChangeGroup[] = [];
  for (const change of changes) {
    const members = alike.get(likeness(change)) as Change[];
    if (members.length < SMALLEST_GROUP) groups.push({ changes: [change], reasons: change.reasons.map(alone) });
    else if (members[0] === change) groups.push({ changes: members, reasons: sharedReasons(members) });
  }
  return groups;
}

const alone = (reason: Reason): GroupedReason => ({ ...reason, elsewhereToo: false });

function likeness(change: Change): string {
  const reasons = change.reasons.map(({ source: _, ...reason }) => ({
    ...reason,
    text: withoutNames(reason.text, change),
  }));
  return JSON.stringify([change.action, change.class, change.fromNode === null, reasons]);
}

function sharedReasons(members: readonly Change[]): GroupedReason[] {
  const first = members[0] as Change;
  return first.reasons.map((reason, index) => {
    const others = members.map((member) => member.reasons[index] as Reason);
    const at = (each: Reason) => (each.source ? `${each.source.file}:${each.source.line}` : "");
    return {
      ...reason,
      text: others.every((other) => other.text === reason.text) ? reason.text : withoutNames(reason.text, first),
      elsewhereToo: others.some((other) => at(other) !== at(reason)),
    };
  });
}

function withoutNames(text: string, change: Change): string {
  const named = replaceWord(replaceWord(text, change.name, "the VM"), change.node, "its node");
  return change.fromNode === null ? named : replaceWord(named, change.fromNode, "its old node");
}

/** Whole names only: the VM `web` is not in `web-1`. */
function replaceWord(text: string, word: string, by: string): string {
  if (!text.includes(word)) return text;
  const parts = text.split(/([a-z0-9-]+)/);
  return parts.map((part) => (part === word ? by : part)).join("");
}
