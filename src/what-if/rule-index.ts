/**
 * Who affinity rules are about, so that a book with only what matters to a few VMs can be opened again and again.
 *
 *   locate-vms.ts → [rule-index.ts] → loss-world.ts, rebalance.ts
 */
import type { AffinityRule, DesiredState, DesiredVm } from "../model/desired-state.ts";
import { type Labels, meets } from "../model/may-live-on.ts";
import type { NodeName, VmName } from "../model/names.ts";
import { AffinityBook, describeRule, type Settled } from "../placement/affinity-book.ts";
import type { Placed } from "../placement/place-vms.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";

export interface Resident {
  readonly name: VmName;
  readonly home: NodeName;
  readonly vm: Settled;
}

export class RuleIndex {
  readonly #desired: DesiredState;
  readonly #rules: ReadonlyMap<string, AffinityRule>;
  /** By one pair of the labels that they ask for; of those that ask for none, by nothing. */
  readonly #byPair: ReadonlyMap<string, readonly string[]>;
  /** By rule, whom it is about: the others are only room that is taken. */
  readonly #residents = new Map<string, Resident[]>();
  readonly #known = new Map<Labels, readonly string[]>();
  /** Rules by which somebody must be with others. */
  readonly #together: ReadonlySet<string>;

  constructor(desired: DesiredState, { reports }: Sightings) {
    this.#desired = desired;
    this.#rules = distinctRules(desired.vms);
    this.#byPair = Map.groupBy(this.#rules.keys(), (key) => pairsOf(this.#rules.get(key)?.match ?? {})[0] ?? "");
    this.#together = new Set(
      desired.vms.flatMap(({ placement }) => placement.affinity.filter(({ required }) => required).map(describeRule)),
    );
    const wanted = new Map(desired.vms.map((vm) => [vm.name, vm]));
    for (const [home, { vms }] of this.#rules.size === 0 ? [] : reports) {
      for (const { name, spec, migration } of vms) {
        if (migration?.stage === "left") continue;
        const antiAffinity = wanted.get(name)?.placement.antiAffinity ?? [];
        const resident = { name, home, vm: { labels: spec.labels, antiAffinity } };
        for (const key of new Set([...this.matched(spec.labels), ...antiAffinity.map(describeRule)])) {
          const known = this.#residents.get(key);
          if (known === undefined) this.#residents.set(key, [resident]);
          else known.push(resident);
        }
      }
    }
  }

  /** Keys of the rules that ask for such labels. */
  matched(labels: Labels): readonly string[] {
    const known = this.#known.get(labels);
    if (known !== undefined) return known;
    const asked = ["", ...pairsOf(labels)].flatMap((pair) => this.#byPair.get(pair) ?? []);
    const matched = asked.filter((key) => meets(labels, this.#rules.get(key) ?? { match: {} }));
    this.#known.set(labels, matched);
    return matched;
  }

  /** Whether somebody must be with VMs that have such labels. */
  isNeeded(labels: Labels): boolean {
    return this.matched(labels).some((key) => this.#together.has(key));
  }

  /** The label that divides nodes into a rule's domains, or `node`. */
  perOf(key: string): string {
    return this.#rules.get(key)?.per ?? "node";
  }

  /** As far as rules about the homeless go. `homeOf`: where a resident is by now; null: it is gone. */
  bookFor(
    homeless: readonly Homeless[],
    homeOf: (resident: Resident) => NodeName | null,
    placed: readonly Placed[],
  ): AffinityBook {
    const keys = new Set<string>();
    const rules: AffinityRule[] = [];
    for (const { vm, spec } of homeless) {
      for (const key of this.matched(spec.labels)) keys.add(key);
      for (const rule of [...vm.placement.affinity, ...vm.placement.antiAffinity]) {
        keys.add(describeRule(rule));
        rules.push(rule);
      }
    }
    const residents = new Map<VmName, Resident>();
    for (const key of keys) for (const each of this.#residents.get(key) ?? []) residents.set(each.name, each);
    for (const { vm } of residents.values()) rules.push(...vm.antiAffinity);
    const book = new AffinityBook(rules.length === 0 ? [] : this.#desired.nodes, rules);
    for (const resident of residents.values()) {
      const home = homeOf(resident);
      if (home !== null) book.settle(resident.vm, home);
    }
    for (const { homeless: each, node } of placed)
      book.settle({ labels: each.spec.labels, antiAffinity: each.vm.placement.antiAffinity }, node);
    return book;
  }
}

const pairsOf = (labels: Labels): string[] => Object.entries(labels).map((pair) => JSON.stringify(pair));

function distinctRules(vms: readonly DesiredVm[]): ReadonlyMap<string, AffinityRule> {
  const rules = new Map<string, AffinityRule>();
  for (const { placement } of vms)
    for (const rule of [...placement.affinity, ...placement.antiAffinity]) rules.set(describeRule(rule), rule);
  return rules;
}
