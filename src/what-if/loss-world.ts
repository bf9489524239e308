/**
 * A fleet of which nodes are taken away, one case after another: what all cases share is worked out once.
 *
 *   locate-vms.ts → [loss-world.ts] → survive.ts
 */
import { type Amount, NOTHING } from "../model/capacity.ts";
import type { AffinityRule, DesiredNode, DesiredState, DesiredVm } from "../model/desired-state.ts";
import { type Labels, matches } from "../model/may-live-on.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { AffinityBook, describeRule, domainOf, type Settled } from "../placement/affinity-book.ts";
import { filtersFor } from "../placement/choose-node.ts";
import { type Placed, placeVms } from "../placement/place-vms.ts";
import { freeNow, toSites } from "../placement/room.ts";
import type { Site } from "../placement/what-speaks-against.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { looksByNode } from "../reconcile/look-ahead.ts";

interface Resident {
  readonly name: VmName;
  readonly home: NodeName;
  readonly vm: Settled;
}

/** What rules say of where VMs are put: `rule/domain` where they match it, and where they demand it. */
export interface Marks {
  readonly matching: ReadonlySet<string>;
  readonly demanding: ReadonlySet<string>;
  /** One of them must be with others, who may be lost. */
  readonly leans: boolean;
}

export class LossWorld {
  readonly fleet: string;
  /** Those that answer, in the order of names. */
  readonly nodes: readonly NodeName[];
  readonly #sites: readonly Site[];
  readonly #byName: ReadonlyMap<NodeName, DesiredNode>;
  readonly #desired: DesiredState;
  readonly #free: ReadonlyMap<NodeName, Amount>;
  readonly #lost = new Map<NodeName, Homeless[]>();
  readonly #rules: ReadonlyMap<string, AffinityRule>;
  /** By one pair of the labels that they ask for; of those that ask for none, by nothing. */
  readonly #rulesByPair: ReadonlyMap<string, readonly string[]>;
  /** By rule, whom it is about: the others are only room that is taken. */
  readonly #residents: ReadonlyMap<string, readonly Resident[]>;
  readonly #rulesOf = new Map<Labels, readonly string[]>();

  /** `counts`: whether this VM is to find a home. */
  constructor(
    desired: DesiredState,
    sightings: Sightings,
    observed: ObservedState,
    counts: (vm: DesiredVm) => boolean,
  ) {
    this.fleet = desired.fleet.name;
    this.nodes = [...sightings.reports.keys()].sort(byName);
    this.#desired = desired;
    this.#byName = new Map(desired.nodes.map((node) => [node.name, node]));
    this.#sites = toSites(desired, sightings, looksByNode(observed), observed.at);
    this.#free = freeNow(desired, sightings);
    this.#rules = distinctRules(desired.vms);
    this.#rulesByPair = Map.groupBy(this.#rules.keys(), (key) => pairsOf(this.#rules.get(key)?.match ?? {})[0] ?? "");
    const wanted = new Map(desired.vms.map((vm) => [vm.name, vm]));
    for (const vm of desired.vms) {
      const location = sightings.locate(vm.name);
      if (location.kind !== "present" || !counts(vm)) continue;
      const { name, spec } = vm;
      const remains = sightings.remains(name);
      const lost = { vm, spec, keptDisks: null, remains, from: null, moves: null, reasons: [] };
      const known = this.#lost.get(location.node);
      if (known === undefined) this.#lost.set(location.node, [lost]);
      else known.push(lost);
    }
    this.#residents = this.#rules.size === 0 ? new Map() : this.#findResidents(sightings, wanted);
  }

  #findResidents(
    { reports }: Sightings,
    wanted: ReadonlyMap<VmName, DesiredVm>,
  ): ReadonlyMap<string, readonly Resident[]> {
    const residents = new Map<string, Resident[]>();
    for (const [home, { vms }] of reports) {
      for (const { name, spec } of vms) {
        const antiAffinity = wanted.get(name)?.placement.antiAffinity ?? [];
        const resident = { name, home, vm: { labels: spec.labels, antiAffinity } };
        for (const key of new Set([...this.#matched(spec.labels), ...antiAffinity.map(describeRule)])) {
          const known = residents.get(key);
          if (known === undefined) residents.set(key, [resident]);
          else known.push(resident);
        }
      }
    }
    return residents;
  }

  /** What must have a home elsewhere when this node is lost. Sorted by name. */
  lostWith(node: NodeName): readonly Homeless[] {
    return this.#lost.get(node) ?? [];
  }

  freeOn(node: NodeName): Amount {
    return this.#free.get(node) ?? NOTHING;
  }

  sitesWithout(down: ReadonlySet<NodeName>): readonly Site[] {
    return this.#sites.map((site) => (down.has(site.node.name) ? { ...site, report: null } : site));
  }

  freeWithout(down: ReadonlySet<NodeName>): Map<NodeName, Amount> {
    const free = new Map(this.#free);
    for (const node of down) free.delete(node);
    return free;
  }

  /** One after another, each where there is room for it by then. */
  place(down: ReadonlySet<NodeName>, homeless: readonly Homeless[]): ReturnType<typeof placeVms> {
    const rules = { mayLeaveDisks: false, fleet: this.fleet };
    const book = this.bookWithout(down, homeless, []);
    return placeVms([...homeless], this.sitesWithout(down), this.freeWithout(down), book, rules);
  }

  /** Whether some of them found nodes that would take them, were others not there. */
  isCrowded(down: ReadonlySet<NodeName>, homeless: readonly Homeless[]): boolean {
    const near = { sites: this.sitesWithout(down), free: this.#free, newBook: () => new AffinityBook([], []) };
    const rules = { mayLeaveDisks: false, fleet: this.fleet };
    return homeless.some((each) =>
      filtersFor(each, near, rules).filters.some(({ filter, left }) => filter === "name" && left > 0),
    );
  }

  /** As far as rules about the homeless go: everybody who is not lost, and those who found a home. */
  bookWithout(down: ReadonlySet<NodeName>, homeless: readonly Homeless[], placed: readonly Placed[]): AffinityBook {
    const keys = new Set<string>();
    const rules: AffinityRule[] = [];
    for (const { vm, spec } of homeless) {
      for (const key of this.#matched(spec.labels)) keys.add(key);
      for (const rule of [...vm.placement.affinity, ...vm.placement.antiAffinity]) {
        keys.add(describeRule(rule));
        rules.push(rule);
      }
    }
    const residents = new Map<VmName, Resident>();
    for (const key of keys)
      for (const each of this.#residents.get(key) ?? []) if (!down.has(each.home)) residents.set(each.name, each);
    for (const { vm } of residents.values()) rules.push(...vm.antiAffinity);
    const book = new AffinityBook(rules.length === 0 ? [] : this.#desired.nodes, rules);
    for (const { vm, home } of residents.values()) book.settle(vm, home);
    for (const { homeless: each, node } of placed)
      book.settle({ labels: each.spec.labels, antiAffinity: each.vm.placement.antiAffinity }, node);
    return book;
  }

  marksOf(placed: readonly Placed[]): Marks {
    const [matching, demanding] = [new Set<string>(), new Set<string>()];
    let leans = false;
    for (const { homeless, node } of placed) {
      const { antiAffinity, affinity } = homeless.vm.placement;
      leans ||= affinity.some(({ required }) => required);
      const desired = this.#byName.get(node);
      if (desired === undefined) continue;
      const mark = (into: Set<string>, key: string): void => {
        const domain = domainOf(desired, this.#rules.get(key)?.per ?? "node");
        if (domain !== null) into.add(`${key}/${domain}`);
      };
      for (const key of this.#matched(homeless.spec.labels)) mark(matching, key);
      for (const rule of antiAffinity) if (rule.required) mark(demanding, describeRule(rule));
    }
    return { matching, demanding, leans };
  }

  /** The rules that ask for such labels. */
  #matched(labels: Labels): readonly string[] {
    const known = this.#rulesOf.get(labels);
    if (known !== undefined) return known;
    const asked = ["", ...pairsOf(labels)].flatMap((pair) => this.#rulesByPair.get(pair) ?? []);
    const matched = asked.filter((key) => matches(labels, this.#rules.get(key)?.match ?? {}));
    this.#rulesOf.set(labels, matched);
    return matched;
  }
}

const pairsOf = (labels: Labels): string[] => Object.entries(labels).map((pair) => JSON.stringify(pair));

function* allRules(vms: readonly DesiredVm[]): Generator<AffinityRule> {
  for (const { placement } of vms) {
    yield* placement.affinity;
    yield* placement.antiAffinity;
  }
}

function distinctRules(vms: readonly DesiredVm[]): ReadonlyMap<string, AffinityRule> {
  const rules = new Map<string, AffinityRule>();
  for (const rule of allRules(vms)) rules.set(describeRule(rule), rule);
  return rules;
}
