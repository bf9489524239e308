/** How affinity rules are counted while VMs are being placed. */
import type { AffinityRule, DesiredNode, DesiredState, Placement } from "../model/desired-state.ts";
import { type Labels, matches } from "../model/may-live-on.ts";
import type { NodeName } from "../model/names.ts";

/** The domain a node belongs to under a rule: itself, or the value of its label. Null: it has no such label. */
export const domainOf = (node: DesiredNode, per: string): string | null =>
  per === "node" ? node.name : Object.hasOwn(node.labels, per) ? (node.labels[per] ?? null) : null;

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

  /** `rules`: every rule that any VM of this planning has. */
  constructor(nodes: readonly DesiredNode[], rules: Iterable<AffinityRule>) {
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
    const own = new Set(vm.antiAffinity.map((rule) => this.#byRule.get(rule)));
    for (const counted of this.#matching(vm.labels)) raise(counted.matching, domainOf(node, counted.rule.per));
    for (const counted of own) if (counted) raise(counted.demanding, domainOf(node, counted.rule.per));
  }

  judge(vm: Settled, affinity: readonly AffinityRule[]): AffinityJudge {
    const find = (rules: readonly AffinityRule[], required: boolean): Counted[] =>
      rules.flatMap((rule) => (rule.required === required ? (this.#byRule.get(rule) ?? []) : []));
    const apart = find(vm.antiAffinity, true);
    const together = find(affinity, true);
    const disliked = find(vm.antiAffinity, false);
    const liked = find(affinity, false);
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
          const isFirst = matching.size === 0 && matches(vm.labels, rule.match);
          return !isFirst && here(matching, node, rule) === 0;
        });
        return missed ? describeRule(missed.rule) : null;
      },
      preference: (node) => {
        let score = 0;
        for (const { rule, matching } of disliked) score += here(matching, node, rule);
        for (const { rule, matching } of liked) score -= here(matching, node, rule);
        return score;
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
    const found = [...this.#matchingAll];
    for (const label of labelsOf(labels))
      for (const counted of this.#byLabel.get(label) ?? [])
        if (matches(labels, counted.rule.match)) found.push(counted);
    return found;
  }
}

/** A fresh book in which these stand where they are. */
export function bookOf(
  { nodes, vms }: Pick<DesiredState, "nodes" | "vms">,
  settled: readonly {
    readonly home: NodeName;
    readonly labels: Labels;
    readonly placement: Pick<Placement, "antiAffinity">;
  }[],
): AffinityBook {
  const rules = vms.flatMap(({ placement }) => [...placement.affinity, ...placement.antiAffinity]);
  const book = new AffinityBook(nodes, rules);
  for (const { labels, placement, home } of settled)
    book.settle({ labels, antiAffinity: placement.antiAffinity }, home);
  return book;
}

/** One text for each pair, and never the same for two: labels that an agent reports may hold any character. */
const labelsOf = (labels: Labels): string[] => Object.entries(labels).map((pair) => JSON.stringify(pair));

const raise = (counts: Map<string, number>, domain: string | null): void => {
  if (domain !== null) counts.set(domain, (counts.get(domain) ?? 0) + 1);
};

const keyOf = (rule: AffinityRule): string => {
  const match = Object.keys(rule.match).sort();
  return JSON.stringify([rule.per, rule.required, match.map((key) => [key, rule.match[key]])]);
};

export const describeRule = (rule: AffinityRule): string => {
  const match = Object.entries(rule.match).map(([key, value]) => `${key}=${value}`);
  return `${match.join(",")} per ${rule.per}`;
};
