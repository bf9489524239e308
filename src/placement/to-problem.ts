/**
 * A fleet's nodes and VMs as numbers.
 *
 *   place-together.ts, plan/ → [to-problem.ts] → assign.ts, schedule/
 *
 * Who asks says what each node offers and each VM takes; the rules are worked out here from placements and labels.
 */
import type { Amount } from "../model/capacity.ts";
import type { AffinityRule, DesiredNode, Group, LabelMatch, Placement } from "../model/desired-state.ts";
import { type Labels, likingOf, meets } from "../model/may-live-on.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import { describeRule } from "./affinity-book.ts";
import { domainOf } from "./domains.ts";
import type { Problem, ProblemNode, ProblemVm, Rule } from "./engine/problem.ts";
import { describeSpread, type FleetSpread } from "./spread-book.ts";

export const RESOURCES = ["cpus", "memoryMiB"] as const;

export interface Ground extends Pick<ProblemNode, "closed" | "leaving" | "mayStayOverfull" | "upMiBps" | "downMiBps"> {
  readonly node: DesiredNode;
  readonly room: Amount;
}

export interface Inhabitant extends Pick<ProblemVm, "moves" | "moveMiB" | "dirtyMiBps"> {
  readonly name: VmName;
  /** Null: it has none yet. */
  readonly home: NodeName | null;
  readonly labels: Labels;
  readonly placement: Pick<Placement, "affinity" | "antiAffinity" | "nodeAffinity">;
  /** At home until it has left, and where it ends up. */
  readonly holds: Amount;
  readonly wants: Amount;
  /** Null: it may end up on any node. */
  readonly allowed: readonly NodeName[] | null;
  readonly group: string | null;
  /** It is deleted: nobody comes who may not be with it, and nobody counts on it. */
  readonly goes?: boolean;
}

export interface FleetProblem {
  readonly problem: Problem;
  /** In the order of `problem.nodes` and `problem.vms`. */
  readonly grounds: readonly Ground[];
  readonly inhabitants: readonly Inhabitant[];
}

/** The cost of one pair that a preferred rule would rather have otherwise: none is preferred to another. */
const PREFERRED = 1;

export function toProblem(
  grounds: readonly Ground[],
  inhabitants: readonly Inhabitant[],
  groups: readonly Group[],
  spreads: readonly FleetSpread[] = [],
): FleetProblem {
  const sortedGrounds = [...grounds].sort((a, b) => byName(a.node.name, b.node.name));
  // A name may be met twice: a VM made by hand on one node may be called as one of the fleet is on another.
  const sorted = [...inhabitants].sort((a, b) => byName(a.name, b.name) || byName(a.home ?? "", b.home ?? ""));
  const nodeIndex = new Map(sortedGrounds.map(({ node }, index) => [node.name, index]));
  const groupIndex = new Map(groups.map(({ name }, index) => [name, index]));
  const indexOf = (name: NodeName | null): number => (name === null ? -1 : (nodeIndex.get(name) ?? -1));
  const masks = new Map<readonly NodeName[], readonly number[]>();
  const toIndices = (names: readonly NodeName[]): readonly number[] => {
    const known = masks.get(names);
    if (known !== undefined) return known;
    const indices = names.map(indexOf).filter((index) => index >= 0);
    masks.set(
      names,
      indices.sort((a, b) => a - b),
    );
    return indices;
  };
  const liked = new Map<Inhabitant["placement"]["nodeAffinity"], readonly number[]>();
  const likesOf = ({ nodeAffinity }: Inhabitant["placement"]): Pick<ProblemVm, "likes"> => {
    if (nodeAffinity === undefined || nodeAffinity.every(({ required }) => required)) return {};
    const likes = liked.get(nodeAffinity) ?? sortedGrounds.map(({ node }) => likingOf({ nodeAffinity }, node));
    liked.set(nodeAffinity, likes);
    return { likes };
  };
  const problem: Problem = {
    resources: RESOURCES,
    nodes: sortedGrounds.map(({ node, room, closed, leaving, mayStayOverfull = false, upMiBps, downMiBps }) => ({
      name: node.name,
      room: toAmounts(room),
      ...{ closed, leaving, mayStayOverfull, upMiBps, downMiBps },
    })),
    vms: sorted.map(
      ({ placement, name, home, holds, wants, allowed, moves, moveMiB, dirtyMiBps, group, goes = false }) => ({
        ...(goes ? { goes } : {}),
        ...likesOf(placement),
        name,
        home: indexOf(home),
        holds: toAmounts(holds),
        wants: toAmounts(wants),
        allowed: allowed === null ? null : toIndices(allowed),
        moves,
        moveMiB,
        dirtyMiBps,
        group: group === null ? -1 : (groupIndex.get(group) ?? -1),
      }),
    ),
    rules: toRules(
      sortedGrounds.map(({ node }) => node),
      sorted,
      spreads,
    ),
    groups: groups.map(({ name, maxUnavailable }) => ({ name, maxUnavailable })),
  };
  return { problem, grounds: sortedGrounds, inhabitants: sorted };
}

const toAmounts = ({ cpus, memoryMiB }: Amount): number[] => [cpus, memoryMiB];

interface Gathered {
  readonly rule: AffinityRule;
  readonly kind: "apart" | "together";
  readonly subjects: number[];
}

/** One rule for all who say the same. */
function toRules(
  nodes: readonly DesiredNode[],
  inhabitants: readonly Inhabitant[],
  spreads: readonly FleetSpread[],
): Rule[] {
  const gathered = new Map<string, Gathered>();
  for (const [index, { placement }] of inhabitants.entries()) {
    const enter = (kind: Gathered["kind"], rule: AffinityRule): void => {
      const { match, expressions, per, required, weight = PREFERRED } = rule;
      const key = JSON.stringify([kind, per, match, expressions, required ? null : weight]);
      const known = gathered.get(key) ?? { rule, kind, subjects: [] };
      gathered.set(key, known);
      if (known.subjects.at(-1) !== index) known.subjects.push(index);
    };
    for (const rule of placement.antiAffinity) enter("apart", rule);
    for (const rule of placement.affinity) enter("together", rule);
  }
  if (gathered.size === 0 && spreads.length === 0) return [];
  const find = findByLabels(inhabitants);
  const divisions = new Map<string, readonly number[]>();
  const divide = (per: string): readonly number[] => {
    const known = divisions.get(per) ?? domainsOf(nodes, per);
    divisions.set(per, known);
    return known;
  };
  const even = spreads.map(({ rule, toFill }): Rule => {
    const subjects = find(rule).filter((vm) => inhabitants[vm]?.goes !== true);
    const domains = divide(rule.per);
    const homes = new Set(subjects.map((vm) => inhabitants[vm]?.home ?? null));
    const counting = nodes.flatMap((node, index) => {
      const isMeant = toFill.has(domainOf(node, rule.per) ?? "") || homes.has(node.name);
      return isMeant ? [domains[index] as number] : [];
    });
    return {
      ...{ kind: "spread", subjects, others: [], domainOf: domains, skew: rule.maxSkew },
      counting: [...new Set(counting)].filter((domain) => domain >= 0),
      weight: rule.required ? null : (rule.weight ?? PREFERRED),
      text: describeSpread(rule),
    };
  });
  const others = [...gathered]
    .sort(([a], [b]) => byName(a, b))
    .map(([, { rule, kind, subjects }]) => ({
      kind,
      subjects,
      // Whom one belongs to is somebody who stays.
      others: kind === "apart" ? find(rule) : find(rule).filter((vm) => inhabitants[vm]?.goes !== true),
      domainOf: divide(rule.per),
      skew: 1,
      weight: rule.required ? null : (rule.weight ?? PREFERRED),
      text: describeRule(rule),
    }));
  return [...others, ...even];
}

function domainsOf(nodes: readonly DesiredNode[], per: string): number[] {
  const numbers = new Map<string, number>();
  return nodes.map((node) => {
    const domain = domainOf(node, per);
    if (domain === null) return -1;
    const number = numbers.get(domain) ?? numbers.size;
    numbers.set(domain, number);
    return number;
  });
}

/** Asked of those only who have the rarest of the labels asked for. */
function findByLabels(inhabitants: readonly Inhabitant[]): (rule: LabelMatch) => number[] {
  const having = new Map<string, number[]>();
  for (const [index, { labels }] of inhabitants.entries())
    for (const pair of Object.entries(labels)) {
      const all = having.get(JSON.stringify(pair));
      if (all === undefined) having.set(JSON.stringify(pair), [index]);
      else all.push(index);
    }
  return (rule) => {
    const lists = Object.entries(rule.match).map((pair) => having.get(JSON.stringify(pair)) ?? []);
    const rarest = lists.reduce<readonly number[] | null>(
      (least, list) => (least === null || list.length < least.length ? list : least),
      null,
    );
    const some = rarest ?? [...inhabitants.keys()];
    return some.filter((index) => meets(inhabitants[index]?.labels ?? {}, rule));
  };
}
