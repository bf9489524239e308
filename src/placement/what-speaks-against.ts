/**
 * What speaks against a node for one VM: asked in this order, and the first objection is the one that is told.
 *
 *   [what-speaks-against.ts] → place-vms.ts, destinations.ts, why-nowhere.ts
 */
import type { Looks } from "../model/boot/boot-needs.ts";
import { type Amount, describeAmount, fits } from "../model/capacity.ts";
import type { FilterName } from "../model/changes.ts";
import type { DesiredNode, DesiredState } from "../model/desired-state.ts";
import { mayLiveOn } from "../model/may-live-on.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { NodeReport } from "../model/observed-state.ts";
import type { Homeless, Travel } from "../reconcile/draft.ts";
import { homeNeeds, whyLacking } from "../reconcile/look-ahead.ts";
import type { AffinityJudge } from "./affinity-book.ts";
import { type FleetSpread, spreadsOf } from "./spread-book.ts";
import type { supportCache } from "./support-cache.ts";
import { whyItCannotArrive } from "./why-it-cannot-arrive.ts";

export interface Site {
  readonly node: DesiredNode;
  /** Null: it does not answer. */
  readonly report: NodeReport | null;
  /** Of files and bridges that it was asked about. */
  readonly looks: Looks | undefined;
  readonly room: Amount;
  /** VMs that moved away from it, and of which it still keeps a record and old disks. */
  readonly leftHere: ReadonlySet<VmName>;
  /** All others that it has, whoever they belong to. */
  readonly namesHere: ReadonlySet<VmName>;
  /** Why it takes no new VMs, in words; null: it does. */
  readonly closed: string | null;
}

/** What is asked about one that needs a home. */
export type Guest = Pick<Homeless, "vm" | "spec" | "remains" | "from"> & {
  readonly moves: (Pick<Travel, "applied" | "by" | "how"> & Partial<Pick<Travel, "draft">>) | null;
};

/** The fleet's rules of spread, with the domains that are open. */
export function spreadsOn(desired: DesiredState, sites: readonly Site[]): FleetSpread[] {
  const open = new Set(
    sites.flatMap(({ node, report, closed }) => (report !== null && closed === null ? node.name : [])),
  );
  return spreadsOf(desired, ({ name }) => open.has(name));
}

export interface WhyNot {
  readonly node: NodeName;
  readonly filter: FilterName;
  /** What an explanation groups nodes by. */
  readonly kind: string;
  /** What is this node's alone. */
  readonly detail: string | null;
  /** What would help: another node or looser rules, another spec, a file in its place, or somebody who decides about old disks. */
  readonly lacks: "place" | "ability" | "files" | "decision";
}

const KEEPS_WHAT_IT_LEFT = "keeps what it left there when it moved away";

export const NOT_ALLOWED = "not allowed by its placement";

export interface Asking {
  readonly fleet: string;
  readonly support: ReturnType<typeof supportCache>;
}

type Check = (guest: Guest, site: Site, asking: Asking) => string | null;

/** Whoever else lives there. */
const STANDING: readonly (readonly [FilterName, Check])[] = [
  ["placement", ({ vm }, { node }) => (mayLiveOn(vm.placement, node) ? null : NOT_ALLOWED)],
  ["answers", (_, { report }) => (report === null ? "does not answer" : null)],
  ["open", ({ from }, { closed, node }) => (from?.stays && from.seen.node === node.name ? null : closed)],
  ["able", whyUnable],
  ["files", whyFilesLack],
  ["name", whyTaken],
];

/** Asked of one reason alone, whatever the others say. */
export function speaksAgainst(by: FilterName, guest: Guest, site: Site, asking: Asking): boolean {
  return STANDING.some(([filter, check]) => filter === by && check(guest, site, asking) !== null);
}

/** Whether it could go there, were its name free. */
export const couldTakeIn = (guest: Guest, site: Site, asking: Asking): boolean =>
  STANDING.every(([filter, check]) => filter === "name" || check(guest, site, asking) === null);

export function whyNever(guest: Guest, site: Site, asking: Asking): WhyNot | null {
  for (const [filter, check] of STANDING) {
    const kind = check(guest, site, asking);
    if (kind !== null) return { node: site.node.name, filter, kind, detail: null, lacks: lackOf(filter, kind) };
  }
  return null;
}

const lackOf = (filter: FilterName, kind: string): WhyNot["lacks"] => {
  if (kind.startsWith(KEEPS_WHAT_IT_LEFT)) return "decision";
  if (filter === "files") return kind.startsWith("lacks ") ? "files" : "ability";
  return filter === "able" ? "ability" : "place";
};

/** Because of who else lives there. */
export function whyNotNow({ node }: Site, holds: Amount, room: Amount, affinity: AffinityJudge): WhyNot | null {
  const objection = (filter: FilterName, kind: string, detail: string | null = null): WhyNot => {
    return { node: node.name, filter, kind, detail, lacks: "place" };
  };
  const apart = affinity.whyApart(node);
  if (apart !== null) return objection("anti-affinity", `anti-affinity (${apart})`);
  const alone = affinity.whyNotTogether(node);
  if (alone !== null) return objection("affinity", `affinity (${alone})`);
  const crowded = affinity.whyCrowded(node);
  if (crowded !== null) return objection("spread", `spread (${crowded})`);
  return fits(holds, room) ? null : objection("room", "lacks room", `${describeAmount(atLeastNothing(room))} free`);
}

/** An agent gives a name to one fleet at a time: until the other's tombstone is gone, the name is taken there. */
function whyTaken(
  { vm, moves, remains }: Guest,
  { node, leftHere, namesHere }: Site,
  { fleet }: Asking,
): string | null {
  // Its guest may come back to it; a new one would find the name taken.
  if (moves === null && leftHere.has(vm.name))
    return `${KEEPS_WHAT_IT_LEFT} (odorobo vm delete ${vm.name} --node ${node.name} ends that)`;
  if (moves !== null) {
    if (remains.some((each) => each.node === node.name && each.tombstone.disks.length > 0))
      return `keeps disks of an earlier life of it (odorobo vm purge ${vm.name} --node ${node.name} ends that)`;
    if (namesHere.has(vm.name)) return "has a VM of this name already";
  }
  const taken = remains.find((each) => each.node === node.name && each.tombstone.fleet !== fleet);
  if (taken === undefined) return null;
  const owner = taken.tombstone.fleet === null ? "made by hand" : `of the fleet ${taken.tombstone.fleet}`;
  return `keeps what is left of a VM of this name ${owner}`;
}

function whyUnable({ spec, moves }: Guest, { report }: Site, { support }: Asking): string | null {
  if (report === null) return null;
  return support(spec, report) ?? (moves === null ? null : whyItCannotArrive(moves, report));
}

function whyFilesLack({ spec }: Guest, { looks }: Site): string | null {
  return looks === undefined ? null : whyLacking(spec, homeNeeds(spec), looks);
}

const atLeastNothing = (a: Amount): Amount => ({ cpus: Math.max(0, a.cpus), memoryMiB: Math.max(0, a.memoryMiB) });
