/**
 * Which nodes could be lost: for each of them, or each two, where its VMs would find a home on the rest, as a plan would place them once
 * a person had fenced those nodes.
 *
 *   DesiredState + ObservedState → loss-world.ts → [survive.ts] → report/what-if/survival-text.ts
 *
 * Each case is answered by the least that answers it: VMs put one after another where there is room; only where that leaves somebody without
 * a home, and there is room enough in all, the whole plan for that case, which may move others. Two losses at once are placed anew only
 * where the two answers cannot be laid side by side: where neither takes room on the other's node, both fit together on every node, and
 * no rule is between them, both are together a home for all.
 */
import { type Amount, fits, minus, NOTHING, plus } from "../model/capacity.ts";
import type { PlacementFilter, Selection } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { byName, type Instant, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { isLocal } from "../model/vm-spec.ts";
import { filtersFor } from "../placement/choose-node.ts";
import { holdingsOf, type Placed } from "../placement/place-vms.ts";
import { assume } from "../plan/assume.ts";
import { makePlan } from "../plan/make-plan.ts";
import type { Homeless } from "../reconcile/draft.ts";
import { locateVms } from "../reconcile/locate-vms.ts";
import { isSelected } from "../reconcile/select.ts";
import { LossWorld, type Marks } from "./loss-world.ts";

/** What `odorobo check --json` prints (`schemas/survival.schema.json`). */
export interface Survival {
  readonly kind: "Survival";
  readonly version: 1;
  readonly fleet: string;
  readonly source: string;
  readonly commit: string | null;
  readonly observedAt: Instant;
  /** How many nodes are lost at once, at the most. */
  readonly losses: 1 | 2;
  readonly nodes: number;
  readonly vms: number;
  /** How many cases were looked at: each node, and each two. */
  readonly cases: number;
  /** VMs whose disks are on their node alone: made anew elsewhere they would begin with empty ones. */
  readonly emptyDisks: number;
  readonly survives: boolean;
  /** In the order of names, single nodes first. Of two nodes, only who has a home when either is lost alone. */
  readonly failures: readonly Loss[];
  /** Nodes that do not answer, and VMs that nobody can see: not looked at. */
  readonly unseen: { readonly nodes: readonly NodeName[]; readonly vms: number };
}

export interface Loss {
  readonly down: readonly NodeName[];
  /** VMs that would need a home. */
  readonly vms: number;
  readonly homeless: readonly HomelessVm[];
}

export interface HomelessVm {
  readonly name: VmName;
  /** Filter by filter, how many nodes are left, once the others have their homes. */
  readonly filters: readonly PlacementFilter[];
  /** Nodes that would take it, did they not keep disks that it left there when it moved away; left out: none. */
  readonly leftDisks?: readonly NodeName[];
}

export interface SurvivalInput {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  readonly source: string;
  readonly commit: string | null;
  readonly losses: 1 | 2;
  /** Only these VMs are to survive; null: all. */
  readonly selection: Selection | null;
}

/** Where the VMs of one case go. */
interface Answer {
  readonly homeless: readonly Homeless[];
  readonly placed: readonly Placed[];
  readonly blocked: ReadonlySet<VmName>;
  /** By node, what comes there. */
  readonly arrives: ReadonlyMap<NodeName, Amount>;
  /** Null: others would move for it, or somebody has no home. */
  readonly marks: Marks | null;
}

export function checkSurvival(input: SurvivalInput): Survival {
  const { desired, observed, source, commit, losses } = input;
  const sightings = locateVms(desired, observed);
  const world = new LossWorld(
    desired,
    sightings,
    observed,
    ({ name, spec }) => input.selection === null || isSelected({ name, labels: spec.labels }, input.selection),
  );
  const { nodes } = world;
  const failures: Loss[] = [];
  const answers = new Map<NodeName, Answer>();
  for (const node of nodes) {
    const answer = settle(world, [node], input);
    answers.set(node, answer);
    failures.push(...toLoss(world, [node], answer, new Set()));
  }
  let cases = nodes.length;
  for (const [index, one] of losses === 2 ? nodes.entries() : []) {
    for (const other of nodes.slice(index + 1)) {
      cases++;
      const [a, b] = [answers.get(one) as Answer, answers.get(other) as Answer];
      if (standTogether(world, one, a, other, b)) continue;
      const known = new Set([...a.blocked, ...b.blocked]);
      failures.push(...toLoss(world, [one, other], settle(world, [one, other], input), known));
    }
  }
  const lost = [...answers.values()].flatMap(({ homeless }) => homeless);
  return {
    kind: "Survival",
    version: 1,
    fleet: desired.fleet.name,
    ...{ source, commit },
    observedAt: observed.at,
    ...{ losses, nodes: nodes.length, vms: lost.length, cases },
    emptyDisks: lost.filter(({ spec }) => spec.disks.some(({ origin }) => isLocal(origin))).length,
    survives: failures.length === 0,
    failures,
    unseen: {
      nodes: observed.nodes.flatMap(({ name, reach }) => (reach === "silent" ? [name] : [])),
      vms: desired.vms.filter(({ name }) => sightings.locate(name).kind === "unknown").length,
    },
  };
}

function settle(world: LossWorld, down: readonly NodeName[], input: SurvivalInput): Answer {
  const gone = new Set(down);
  const homeless = down.flatMap((node) => world.lostWith(node));
  const { placed, blocked } = world.place(gone, homeless);
  const answer = toAnswer(homeless, placed);
  if (blocked.length === 0) return { ...answer, marks: world.marksOf(placed) };
  const left = homeless.filter(({ vm }) => answer.blocked.has(vm.name));
  const isHopeless = !world.isCrowded(gone, left) || !fits(roomFor(left), roomLeft(world, gone, answer.arrives));
  return isHopeless ? answer : toAnswer(homeless, placedInPlan(down, homeless, input));
}

function toAnswer(homeless: readonly Homeless[], placed: readonly Placed[]): Answer {
  const arrives = new Map<NodeName, Amount>();
  for (const { node, holds } of placed) arrives.set(node, plus(arrives.get(node) ?? NOTHING, holds));
  const housed = new Set(placed.map((each) => each.homeless.vm.name));
  const blocked = new Set(homeless.flatMap(({ vm }) => (housed.has(vm.name) ? [] : [vm.name])));
  return { homeless, placed, blocked, arrives, marks: null };
}

/** Where the plan for this case makes them, in which others may move. */
function placedInPlan(down: readonly NodeName[], homeless: readonly Homeless[], input: SurvivalInput): Placed[] {
  const assumptions = down.map((node) => ({ node, is: "fenced" as const }));
  const { desired, observed } = assume(input.desired, input.observed, assumptions);
  const { source, commit } = input;
  const plan = makePlan({ ...{ desired, observed, source, commit, selection: null }, allowances: ANYTHING });
  const made = new Map(plan.changes.flatMap(({ action, name, node }) => (action === "create" ? [[name, node]] : [])));
  return homeless.flatMap((each) => {
    const node = made.get(each.vm.name);
    return node === undefined ? [] : [{ homeless: each, node, holds: holdingsOf(each) }];
  });
}

const ANYTHING = { maxClass: null, allowDestroy: null };

const roomFor = (homeless: readonly Homeless[]): Amount => homeless.map(holdingsOf).reduce(plus, NOTHING);

/** In all of what is left of the fleet. Nobody can have more, whoever moves. */
function roomLeft(world: LossWorld, gone: ReadonlySet<NodeName>, arrives: ReadonlyMap<NodeName, Amount>): Amount {
  let sum = NOTHING;
  for (const [node, free] of world.freeWithout(gone)) {
    const { cpus, memoryMiB } = minus(free, arrives.get(node) ?? NOTHING);
    sum = plus(sum, { cpus: Math.max(0, cpus), memoryMiB: Math.max(0, memoryMiB) });
  }
  return sum;
}

/** Empty: all of them find a home, or those who do not are `known`. */
function toLoss(
  world: LossWorld,
  down: readonly NodeName[],
  { homeless, placed, blocked, arrives }: Answer,
  known: ReadonlySet<VmName>,
): Loss[] {
  const told = homeless.filter(({ vm }) => blocked.has(vm.name) && !known.has(vm.name));
  if (told.length === 0) return [];
  const gone = new Set(down);
  const free = world.freeWithout(gone);
  for (const [node, amount] of arrives) free.set(node, minus(free.get(node) ?? NOTHING, amount));
  const book = world.bookWithout(gone, homeless, placed);
  const near = { sites: world.sitesWithout(gone), free, newBook: () => book };
  const rules = { mayLeaveDisks: false, fleet: world.fleet };
  const tell = (each: Homeless): HomelessVm => {
    const { name } = each.vm;
    const leftDisks = world.heldByOldDisks(gone, each);
    return { name, filters: filtersFor(each, near, rules).filters, ...(leftDisks.length === 0 ? {} : { leftDisks }) };
  };
  return [{ down, vms: homeless.length, homeless: told.map(tell).sort((a, b) => byName(a.name, b.name)) }];
}

/** Whether the answers to both losses, each taken alone, are together an answer to both at once. */
function standTogether(world: LossWorld, one: NodeName, a: Answer, other: NodeName, b: Answer): boolean {
  if (a.marks === null || b.marks === null) return false;
  if (a.arrives.has(other) || b.arrives.has(one)) return false;
  if (a.homeless.length === 0 || b.homeless.length === 0) return !a.marks.leans && !b.marks.leans;
  for (const [node, amount] of a.arrives) {
    const more = b.arrives.get(node);
    if (more !== undefined && !fits(plus(amount, more), world.freeOn(node))) return false;
  }
  return !a.marks.leans && !b.marks.leans && !meet(a.marks, b.marks) && !meet(b.marks, a.marks);
}

function meet({ matching }: Marks, { demanding }: Marks): boolean {
  for (const mark of demanding) if (matching.has(mark)) return true;
  return false;
}
