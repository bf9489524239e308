/**
 * A fleet of which nodes are taken away, one case after another: what all cases share is worked out once.
 *
 *   locate-vms.ts → [loss-world.ts] → survive.ts
 */
import { type Amount, NOTHING } from "../model/capacity.ts";
import type { DesiredNode, DesiredState, DesiredVm } from "../model/desired-state.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { AffinityBook, describeRule } from "../placement/affinity-book.ts";
import { filtersFor } from "../placement/choose-node.ts";
import { domainOf } from "../placement/domains.ts";
import { type Placed, placeVms } from "../placement/place-vms.ts";
import { freeNow, toSites } from "../placement/room.ts";
import { supportCache } from "../placement/support-cache.ts";
import { couldTakeIn, type Site } from "../placement/what-speaks-against.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { looksByNode } from "../reconcile/look-ahead.ts";
import { RuleIndex } from "./rule-index.ts";

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
  readonly #free: ReadonlyMap<NodeName, Amount>;
  readonly #lost = new Map<NodeName, Homeless[]>();
  readonly #rules: RuleIndex;

  /** `counts`: whether this VM is to find a home. */
  constructor(
    desired: DesiredState,
    sightings: Sightings,
    observed: ObservedState,
    counts: (vm: DesiredVm) => boolean,
  ) {
    this.fleet = desired.fleet.name;
    this.nodes = [...sightings.reports.keys()].sort(byName);
    this.#byName = new Map(desired.nodes.map((node) => [node.name, node]));
    this.#sites = toSites(desired, sightings, looksByNode(observed), observed.at);
    this.#free = freeNow(desired, sightings);
    this.#rules = new RuleIndex(desired, sightings);
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

  /** Nodes that could take it in, but for the disks that it left there when it moved away. */
  heldByOldDisks(down: ReadonlySet<NodeName>, each: Homeless): readonly NodeName[] {
    const asking = { fleet: this.fleet, support: supportCache() };
    return this.sitesWithout(down).flatMap((site) =>
      site.leftHere.has(each.vm.name) && couldTakeIn(each, site, asking) ? [site.node.name] : [],
    );
  }

  /** As far as rules about the homeless go: everybody who is not lost, and those who found a home. */
  bookWithout(down: ReadonlySet<NodeName>, homeless: readonly Homeless[], placed: readonly Placed[]): AffinityBook {
    return this.#rules.bookFor(homeless, ({ home }) => (down.has(home) ? null : home), placed);
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
        const domain = domainOf(desired, this.#rules.perOf(key));
        if (domain !== null) into.add(`${key}/${domain}`);
      };
      for (const key of this.#rules.matched(homeless.spec.labels)) mark(matching, key);
      for (const rule of antiAffinity) if (rule.required) mark(demanding, describeRule(rule));
    }
    return { matching, demanding, leans };
  }
}
