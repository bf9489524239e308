/**
 * From one order that is possible to what really has to wait for what, so that every order which that allows is possible too.
 *
 * Room: on each node the arrivals stand in a line. One waits for as many of the departures before it as make room for itself and
 * for all arrivals before it, whether those have begun or not; so whoever has begun, the last of them has made sure that all fit.
 * Rules and groups: what may not be at the same time is ordered as it is in the given order.
 */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, add, at, EPSILON } from "./act.ts";

/**
 * Per act: the indices of those whose end it waits for, ascending. `endS`: when each is expected to end, so that those are waited
 * for that end first; without it they are taken to end in the given order.
 */
export function waitEdges(problem: Problem, acts: readonly Act[], endS: readonly number[] | null = null): number[][] {
  const after: Set<number>[] = acts.map(() => new Set());
  waitForOneself(acts, after);
  waitForRoom(problem, acts, after, endS);
  waitForRules(problem, acts, after);
  waitForGroups(problem, acts, after);
  return withoutDetours(after.map((each) => [...each].sort((a, b) => a - b)));
}

function waitForOneself(acts: readonly Act[], after: readonly Set<number>[]): void {
  const lastOf = new Map<number, number>();
  for (const [index, { vm }] of acts.entries()) {
    const last = lastOf.get(vm);
    if (last !== undefined) at(after, index).add(last);
    lastOf.set(vm, index);
  }
}

function waitForRoom(
  { nodes, vms, resources }: Problem,
  acts: readonly Act[],
  after: readonly Set<number>[],
  endS: readonly number[] | null,
): void {
  const used = nodes.map(() => resources.map(() => 0));
  for (const { home, holds } of vms) if (home >= 0) add(at(used, home), holds, 1);
  const departures: number[][] = nodes.map(() => []);
  for (const [index, { from, to, takes, gives }] of acts.entries()) {
    if (to >= 0) {
      const asked = resources.flatMap((_, resource) => (at(takes, resource) > 0 ? [resource] : []));
      const taken = at(used, to);
      for (const resource of asked) taken[resource] = at(taken, resource) + at(takes, resource);
      const lacks = asked.map((resource) => at(taken, resource) - at(at(nodes, to).room, resource));
      const giving = (departure: number): number[] => asked.map((resource) => at(at(acts, departure).gives, resource));
      const leaving = at(departures, to);
      if (endS) leaving.sort((a, b) => at(endS, a) - at(endS, b) || a - b);
      for (const departure of enough(leaving, giving, lacks)) at(after, index).add(departure);
    }
    if (from >= 0 && gives.some((amount) => amount > 0)) at(departures, from).push(index);
  }
}

/** Of the first that together give what is lacking, only those without whom it would not be enough. */
function enough(departures: readonly number[], giving: (departure: number) => number[], lacks: number[]): number[] {
  const left = [...lacks];
  const chosen: number[] = [];
  for (const departure of departures) {
    if (left.every((lack) => lack <= EPSILON)) break;
    const given = giving(departure);
    if (!given.some((amount, each) => amount > 0 && at(left, each) > EPSILON)) continue;
    chosen.push(departure);
    for (const [each, amount] of given.entries()) left[each] = at(left, each) - amount;
  }
  // The latest are tried first: whom one need not wait for at all is best the one that goes last.
  return chosen.toReversed().filter((departure) => {
    const given = giving(departure);
    if (given.some((amount, each) => at(left, each) + amount > EPSILON)) return true;
    for (const [each, amount] of given.entries()) left[each] = at(left, each) + amount;
    return false;
  });
}

/** Who has left a domain before somebody arrives who must be apart from it there: that has to stay so. */
function waitForRules({ rules }: Problem, acts: readonly Act[], after: readonly Set<number>[]): void {
  const rulesOf = new Map<number, number[]>();
  for (const [index, { kind, weight, subjects, others }] of rules.entries()) {
    if (kind !== "apart" || weight !== null) continue;
    for (const vm of new Set([...subjects, ...others])) {
      const known = rulesOf.get(vm);
      if (known) known.push(index);
      else rulesOf.set(vm, [index]);
    }
  }
  const sets = rules.map(({ subjects, others }) => ({ subjects: new Set(subjects), others: new Set(others) }));
  /** By rule and domain: who left it, with the act. */
  const left = new Map<string, number[]>();
  for (const [index, { vm, from, to }] of acts.entries()) {
    if (from === to) continue;
    for (const rule of rulesOf.get(vm) ?? []) {
      const { domainOf } = at(rules, rule);
      const { subjects, others } = at(sets, rule);
      const foes = (a: number, b: number): boolean =>
        (subjects.has(a) && others.has(b)) || (others.has(a) && subjects.has(b));
      const [domainFrom, domainTo] = [from, to].map((node) => (node < 0 ? -1 : at(domainOf, node)));
      if (domainTo !== undefined && domainTo >= 0)
        for (const departure of left.get(`${rule} ${domainTo}`) ?? []) {
          const foe = at(acts, departure).vm;
          if (foe !== vm && foes(vm, foe)) at(after, index).add(departure);
        }
      if (domainFrom === undefined || domainFrom < 0) continue;
      const key = `${rule} ${domainFrom}`;
      const known = left.get(key);
      if (known) known.push(index);
      else left.set(key, [index]);
    }
  }
}

/** As many lanes as members may be down; in each, one is down after another. */
function waitForGroups({ groups, vms }: Problem, acts: readonly Act[], after: readonly Set<number>[]): void {
  interface Outage {
    readonly first: number;
    last: number;
  }
  const outages = new Map<number, Outage[]>();
  const openOf = new Map<number, Outage>();
  for (const [index, { vm, kind, down }] of acts.entries()) {
    const { group } = at(vms, vm);
    if (!down || group < 0) continue;
    const open = openOf.get(vm);
    if (open) open.last = index;
    const outage = open ?? { first: index, last: index };
    if (kind === "stop") openOf.set(vm, outage);
    else openOf.delete(vm);
    if (open) continue;
    const known = outages.get(group);
    if (known) known.push(outage);
    else outages.set(group, [outage]);
  }
  for (const [group, all] of outages) {
    const lanes: Outage[] = [];
    for (const outage of all) {
      const free = lanes.findIndex(({ last }) => last < outage.first);
      if (free >= 0) at(after, outage.first).add(at(lanes, free).last);
      if (free < 0 && lanes.length >= at(groups, group).maxUnavailable)
        throw new Error(`more members of ${at(groups, group).name} are down in this order than may be`);
      lanes[free >= 0 ? free : lanes.length] = outage;
    }
  }
}

/** Without those that others of them wait for anyway: nobody needs to be told twice. */
function withoutDetours(after: readonly number[][]): number[][] {
  return after.map((direct) => {
    if (direct.length < 2) return direct;
    const least = direct[0] ?? 0;
    const reached = new Set<number>();
    const open = direct.flatMap((each) => at(after, each));
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      if (each < least || reached.has(each)) continue;
      reached.add(each);
      open.push(...at(after, each));
    }
    return direct.filter((each) => !reached.has(each));
  });
}
