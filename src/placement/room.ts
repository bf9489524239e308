/** How much room nodes have: now, after what must happen where it is, and for whom that is not enough. */
import type { Looks } from "../model/boot/boot-needs.ts";
import {
  type Amount,
  describeMemory,
  excess,
  fits,
  heldOn,
  isNothing,
  minus,
  NOTHING,
  plus,
  roomOf,
} from "../model/capacity.ts";
import { worstClass } from "../model/change-class.ts";
import type { Blocked, Reason } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { whyClosed } from "../model/maintenance.ts";
import type { Instant, NodeName, VmName } from "../model/names.ts";
import type { NodeReport } from "../model/observed-state.ts";
import { disruptionOf, toMover } from "../reconcile/departure.ts";
import type { Draft, Homeless } from "../reconcile/draft.ts";
import { keepsLeftDisks, type Sightings } from "../reconcile/locate-vms.ts";
import type { Site } from "./what-speaks-against.ts";

/** What each answering node has left right now. */
export function freeNow(desired: DesiredState, sightings: Sightings): Map<NodeName, Amount> {
  const free = new Map<NodeName, Amount>();
  for (const node of desired.nodes) {
    const report = sightings.reports.get(node.name);
    if (report) free.set(node.name, minus(roomOf(report.capacity, node), heldOn(report)));
  }
  return free;
}

/** VMs that grow where they are, as long as there is room at the end of the plan, first come first served; the others are too big. */
export function fitGrowth(
  drafts: readonly Draft[],
  free: ReadonlyMap<NodeName, Amount>,
): { growing: Draft[]; tooBig: TooBig[] } {
  const left = new Map(free);
  const room = (node: NodeName): Amount => left.get(node) ?? NOTHING;
  const moreOf = (draft: Draft) => excess(draft.after, draft.before);
  for (const draft of drafts) {
    // Only those who take nothing give room that others may count on; see order-steps.ts.
    if (isNothing(moreOf(draft))) left.set(draft.node, plus(room(draft.node), excess(draft.before, draft.after)));
  }
  const growing: Draft[] = [];
  const tooBig: TooBig[] = [];
  for (const draft of drafts) {
    const more = moreOf(draft);
    const isGrowth = !isNothing(more);
    if (isGrowth && !fits(more, room(draft.node))) {
      tooBig.push({ draft, more, room: room(draft.node) });
      continue;
    }
    if (isGrowth) left.set(draft.node, minus(room(draft.node), more));
    growing.push(draft);
  }
  return { growing, tooBig };
}

/** One that wants `more` than its node has left. */
export interface TooBig {
  readonly draft: Draft;
  readonly more: Amount;
  readonly room: Amount;
}

/** It grows elsewhere, where it can go; null: it cannot. */
export function growElsewhere({ draft, more, room }: TooBig): Homeless | null {
  const field = more.memoryMiB > 0 ? "memory.sizeMiB" : "cpus.count";
  const lacks = [
    ...(more.cpus > 0 ? [`${more.cpus} more cpus (${room.cpus} free)`] : []),
    ...(more.memoryMiB > 0
      ? [`${describeMemory(more.memoryMiB)} more memory (${describeMemory(room.memoryMiB)} free)`]
      : []),
  ];
  const disruption = draft.departure.kind === "able" ? disruptionOf(draft.departure.how) : null;
  const lacking = `${draft.node} has no room for that: it needs ${lacks.join(" and ")}`;
  const text = disruption?.instead ? `${lacking}; ${disruption.instead}` : lacking;
  const reason: Reason = {
    because: "placement",
    field,
    from: draft.node,
    to: null,
    class: disruption?.class ?? "migrate",
    text,
    source: null,
  };
  const rejected = [...(draft.rejected ?? []), { chain: [draft.class], field, because: lacking }];
  const reasons = [...draft.reasons, reason];
  // A move as it runs is an act of its own; one that it is stopped for makes a reboot of the whole.
  const changeClass = reason.class === "reboot" ? worstClass([draft.class, "reboot"]) : draft.class;
  return toMover({ ...draft, reasons, rejected, class: changeClass });
}

export const blockTooBig = ({ draft, more, room }: TooBig): Blocked => ({
  name: draft.name,
  code: "UNPLACEABLE",
  message: `${draft.name} needs ${more.cpus} more cpus and ${more.memoryMiB} MiB more memory than ${draft.node} has to give (${room.cpus} cpus, ${room.memoryMiB} MiB free)${draft.departure.kind === "rooted" ? `, and it cannot move: ${draft.departure.why}` : ""}`,
  hint: "ask for less, or free room on that node",
  source: draft.source,
  rejected: [
    ...(draft.rejected ?? []),
    { chain: [draft.class], field: null, because: `${draft.node} has no room for that` },
    ...(draft.departure.kind === "rooted"
      ? [{ chain: ["migrate", draft.class] as const, field: null, because: draft.departure.why }]
      : []),
  ],
});

/** What each node has left once all but the placements is done. */
export function freeAfter(
  now: ReadonlyMap<NodeName, Amount>,
  drafts: readonly Draft[],
  homeless: readonly Homeless[],
): Map<NodeName, Amount> {
  const free = new Map(now);
  const add = (node: NodeName, amount: Amount) => free.set(node, plus(free.get(node) ?? NOTHING, amount));
  for (const draft of drafts) {
    const more = excess(draft.after, draft.before);
    const less = excess(draft.before, draft.after);
    add(draft.node, isNothing(more) ? less : { cpus: -more.cpus, memoryMiB: -more.memoryMiB });
  }
  for (const { from } of homeless) if (from) add(from.seen.node, from.held);
  return free;
}

/** Those that moved away and left disks: a new one of that name would begin with them. */
const leftDisks = (report: NodeReport | null): ReadonlySet<VmName> =>
  new Set((report?.vms ?? []).flatMap((vm) => (keepsLeftDisks(vm) ? [vm.name] : [])));

const livingHere = (report: NodeReport | null): ReadonlySet<VmName> =>
  new Set((report?.vms ?? []).flatMap(({ name, migration }) => (migration?.stage === "left" ? [] : [name])));

/** `at`: when it was seen. Maintenance is under way by then, or not. */
export const toSites = (
  desired: DesiredState,
  sightings: Sightings,
  looks: ReadonlyMap<NodeName, Looks>,
  at: Instant,
): Site[] =>
  desired.nodes.map((node) => {
    const report = sightings.reports.get(node.name) ?? null;
    const room = report ? roomOf(report.capacity, node) : NOTHING;
    return {
      node,
      report,
      looks: looks.get(node.name),
      room,
      closed: whyClosed(node, at),
      leftHere: leftDisks(report),
      namesHere: livingHere(report),
    };
  });
