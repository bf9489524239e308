/** How affinity rules are counted while VMs are being placed. */
import type { AffinityRule, DesiredNode, DesiredState, Placement } from "../model/desired-state.ts";
import { describeMatch, type Labels, likingOf, meets } from "../model/may-live-on.ts";
import type { NodeName } from "../model/names.ts";
import { domainOf } from "./domains.ts";
import { type FleetSpread, SpreadBook } from "./spread-book.ts";

/** A VM that has a home, as far as affinity cares. */
export interface Settled {
  readonly labels: Labels;
  readonly antiAffinity: readonly AffinityRule[];
}

/** What the rules say about one VM on one node. */
export interface AffinityJudge {
  /** The required anti-affinity, own or another VM's, that forbids this node; else null. */
  whyApart(node: DesiredNode): string | null;
  /** The required affinity that this node does not meet; else null. The first VM of its kind may start anywhere. */
  whyNotTogether(node: DesiredNode): string | null;
  /** The required spread that one more on this node would break; else null. */
  whyCrowded(node: DesiredNode): string | null;
  /** How much a node is liked or disliked by the preferred rules: lower is better. */
  preference(node: DesiredNode): number;
}

interface Counted {
  readonly rule: AffinityRule;
  /** As the rules were first met: what is explained must not depend on how they are looked up. */
  readonly order: number;
  /** domain → VMs that match the rule, and VMs that demand it. */
  readonly matching: Map<string, number>;
  readonly demanding: Map<string, number>;
}

/**
 * Counts, per rule and domain, the VMs that match it and the VMs that demand it. Rules repeat over many VMs of a fleet,
 * so counting per distinct rule, and looking rules up by the labels they match, keeps a placement independent of the fleet's size.
 */
export class AffinityBook {
  readonly #nodes: ReadonlyMap<NodeName, DesiredNode>;
  readonly #rules = new Map<string, Counted>();
  readonly #byRule = new Map<AffinityRule, Counted>();
  /** `key=value` → the rules that ask for it. Each rule is in one list only: of what it asks for, where fewest others are. */
  readonly #byLabel = new Map<string, Counted[]>();
  readonly #matchingAll: Counted[] = [];
  readonly #spread: SpreadBook;

  /** `rules`: every rule about affinity that any VM of this planning has. */
  constructor(nodes: readonly DesiredNode[], rules: Iterable<AffinityRule>, spreads: readonly FleetSpread[] = []) {
    this.#spread = new SpreadBook(nodes, spreads);
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    for (const rule of rules) {
      if (this.#byRule.has(rule)) continue;
      const key = keyOf(rule);
      this.#byRule.set(rule, this.#rules.get(key) ?? this.#enter(key, rule));
    }
  }

  settle(vm: Settled, home: NodeName): void {
    const node = this.#nodes.get(home);
    if (!node) return;
    this.#spread.settle(vm.labels, home);
    const own = new Set(vm.antiAffinity.map((rule) => this.#byRule.get(rule)));
    for (const counted of this.#matching(vm.labels)) raise(counted.matching, domainOf(node, counted.rule.per));
    for (const counted of own) if (counted) raise(counted.demanding, domainOf(node, counted.rule.per));
  }

  judge(vm: Settled, { affinity, nodeAffinity = [] }: Pick<Placement, "affinity" | "nodeAffinity">): AffinityJudge {
    const find = (rules: readonly AffinityRule[], required: boolean): Counted[] =>
      rules.flatMap((rule) => (rule.required === required ? (this.#byRule.get(rule) ?? []) : []));
    const apart = find(vm.antiAffinity, true);
    const together = find(affinity, true);
    const wishes = (rules: readonly AffinityRule[]) =>
      rules.flatMap((rule) => {
        const counted = rule.required ? undefined : this.#byRule.get(rule);
        return counted === undefined ? [] : [{ counted, weight: rule.weight ?? 1 }];
      });
    const disliked = wishes(vm.antiAffinity);
    const liked = wishes(affinity);
    const demandedByOthers = this.#matching(vm.labels)
      .filter(({ rule, demanding }) => rule.required && demanding.size > 0)
      .sort((a, b) => a.order - b.order);
    const here = (counts: ReadonlyMap<string, number>, node: DesiredNode, { per }: AffinityRule): number => {
      const domain = domainOf(node, per);
      return domain === null ? 0 : (counts.get(domain) ?? 0);
    };
    return {
      whyApart: (node) => {
        const clash =
          apart.find(({ rule, matching }) => here(matching, node, rule) > 0) ??
          demandedByOthers.find(({ rule, demanding }) => here(demanding, node, rule) > 0);
        return clash ? describeRule(clash.rule) : null;
      },
      whyNotTogether: (node) => {
        const missed = together.find(({ rule, matching }) => {
          const isFirst = matching.size === 0 && meets(vm.labels, rule);
          return !isFirst && here(matching, node, rule) === 0;
        });
        return missed ? describeRule(missed.rule) : null;
      },
      whyCrowded: (node) => this.#spread.whyCrowded(vm.labels, node),
      preference: (node) => {
        let score = 0;
        for (const { counted, weight } of disliked) score += weight * here(counted.matching, node, counted.rule);
        for (const { counted, weight } of liked) score -= weight * here(counted.matching, node, counted.rule);
        return score + this.#spread.dislike(vm.labels, node) - likingOf({ nodeAffinity }, node);
      },
    };
  }

  #enter(key: string, rule: AffinityRule): Counted {
    const counted: Counted = { rule, order: this.#rules.size, matching: new Map(), demanding: new Map() };
    this.#rules.set(key, counted);
    this.#shortestList(rule.match).push(counted);
    return counted;
  }

  #shortestList(match: Labels): Counted[] {
    let shortest: Counted[] | null = null;
    for (const label of labelsOf(match)) {
      const list = this.#byLabel.get(label) ?? [];
      this.#byLabel.set(label, list);
      if (shortest === null || list.length < shortest.length) shortest = list;
    }
    return shortest ?? this.#matchingAll;
  }

  /** In no particular order. */
  #matching(labels: Labels): Counted[] {
    const found = this.#matchingAll.filter(({ rule }) => meets(labels, rule));
    for (const label of labelsOf(labels))
      for (const counted of this.#byLabel.get(label) ?? []) if (meets(labels, counted.rule)) found.push(counted);
    return found;
  }
}

/** A fresh book in which these stand where they are. */
export function bookOf(
  { nodes, vms }: Pick<DesiredState, "nodes" | "vms">,
  spreads: readonly FleetSpread[],
  settled: readonly {
    readonly home: NodeName;
    readonly labels: Labels;
    readonly placement: Pick<Placement, "antiAffinity">;
  }[],
): AffinityBook {
  const rules = vms.flatMap(({ placement }) => [...placement.affinity, ...placement.antiAffinity]);
  const book = new AffinityBook(nodes, rules, spreads);
  for (const { labels, placement, home } of settled)
    book.settle({ labels, antiAffinity: placement.antiAffinity }, home);
  return book;
}

/** One text for each pair, and never the same for two: labels that an agent reports may hold any character. */
const labelsOf = (labels: Labels): string[] => Object.entries(labels).map((pair) => JSON.stringify(pair));

const raise = (counts: Map<string, number>, domain: string | null): void => {
  if (domain !== null) counts.set(domain, (counts.get(domain) ?? 0) + 1);
};

const keyOf = ({ per, required, match, expressions = [] }: AffinityRule): string =>
  JSON.stringify([
    per,
    required,
    Object.keys(match)
      .sort()
      .map((key) => [key, match[key]]),
    expressions,
  ]);

export const describeRule = (rule: AffinityRule): string => `${describeMatch(rule)} per ${rule.per}`;
