/**
 * How evenly VMs are spread, counted while they are being placed.
 *
 *   [spread-book.ts] → affinity-book.ts, failing-rules.ts, to-problem.ts
 */
import type { DesiredNode, DesiredState, SpreadRule } from "../model/desired-state.ts";
import { describeMatch, type Labels, mayLiveOn, meets } from "../model/may-live-on.ts";
import type { NodeName } from "../model/names.ts";
import { domainOf } from "./domains.ts";

/** One rule of a fleet, for all who say the same. It is about every VM that it matches, also those that do not say it. */
export interface FleetSpread {
  readonly rule: SpreadRule;
  /** Domains that some of them could come to. Those where some are count besides. */
  readonly toFill: ReadonlySet<string>;
}

/** `app=web per rack, at most 1 more than elsewhere`; different rules have different texts, but for their weight. */
export const describeSpread = (rule: SpreadRule): string =>
  `${describeMatch(rule)} per ${rule.per}, at most ${rule.maxSkew} more than elsewhere`;

/** `isOpen`: whether a node takes newcomers. In the order in which VMs say them. */
export function spreadsOf(
  { vms, nodes }: Pick<DesiredState, "vms" | "nodes">,
  isOpen: (node: DesiredNode) => boolean,
): FleetSpread[] {
  const rules = new Map<string, SpreadRule>();
  for (const { placement } of vms)
    for (const rule of placement.spread ?? [])
      rules.set(`${rule.required} ${rule.weight ?? 1} ${JSON.stringify(describeSpread(rule))}`, rule);
  if (rules.size === 0) return [];
  const open = nodes.filter(isOpen);
  return [...rules.values()].map((rule) => {
    const subjects = vms.filter(({ spec }) => meets(spec.labels, rule));
    const toFill = open.flatMap((node) => {
      const domain = domainOf(node, rule.per);
      return domain !== null && subjects.some(({ placement }) => mayLiveOn(placement, node)) ? [domain] : [];
    });
    return { rule, toFill: new Set(toFill) };
  });
}

interface Counted extends FleetSpread {
  /** By domain: those of `toFill`, and others where some are. */
  readonly counts: Map<string, number>;
}

export class SpreadBook {
  readonly #nodes: ReadonlyMap<NodeName, DesiredNode>;
  readonly #all: readonly Counted[];

  constructor(nodes: readonly DesiredNode[], spreads: readonly FleetSpread[]) {
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#all = spreads.map((each) => ({ ...each, counts: new Map([...each.toFill].map((domain) => [domain, 0])) }));
  }

  settle(labels: Labels, home: NodeName): void {
    const node = this.#nodes.get(home);
    if (node === undefined) return;
    for (const { rule, counts } of this.#about(labels)) {
      const domain = domainOf(node, rule.per);
      if (domain !== null) counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
  }

  /** The required rule that one more of these would break on a node; else null. */
  whyCrowded(labels: Labels, node: DesiredNode): string | null {
    const broken = this.#about(labels).find((each) => each.rule.required && overBy(each, node) > 0);
    return broken === undefined ? null : describeSpread(broken.rule);
  }

  /** What the wishes would have against one more of these on a node: lower is better. */
  dislike(labels: Labels, node: DesiredNode): number {
    return this.#about(labels)
      .filter(({ rule }) => !rule.required)
      .reduce((sum, each) => sum + Math.max(0, overBy(each, node)) * (each.rule.weight ?? 1), 0);
  }

  /** Whether a required rule does not hold among those who are settled. */
  get isBroken(): boolean {
    return this.#all.some(({ rule, counts }) => {
      const all = [...counts.values()];
      return rule.required && all.length > 0 && Math.max(...all) - Math.min(...all) > rule.maxSkew;
    });
  }

  #about(labels: Labels): Counted[] {
    return this.#all.filter(({ rule }) => meets(labels, rule));
  }
}

/** By how many one more there would be too many. */
function overBy({ rule, counts }: Counted, node: DesiredNode): number {
  const domain = domainOf(node, rule.per);
  if (domain === null) return 0;
  const here = (counts.get(domain) ?? 0) + 1;
  let least = here;
  for (const [other, count] of counts) if (other !== domain) least = Math.min(least, count);
  return here - least - rule.maxSkew;
}
