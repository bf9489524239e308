/** What is to be put right besides seating: nodes that are too full, and required rules that do not hold. */
import type { Seats } from "./seats.ts";
import type { LaidRule } from "./terrain.ts";

export type Trouble = { readonly kind: "overfull"; readonly node: number } | BrokenRule;

export type BrokenRule =
  | { readonly kind: "pair"; readonly rule: LaidRule; readonly one: number; readonly other: number }
  | { readonly kind: "lonely"; readonly rule: LaidRule; readonly vm: number }
  | { readonly kind: "crowded"; readonly rule: LaidRule; readonly domain: number };

/** Different troubles have different names. */
export function nameOfTrouble(trouble: Trouble): string {
  if (trouble.kind === "overfull") return `overfull ${trouble.node}`;
  const { index } = trouble.rule;
  if (trouble.kind === "pair") return `pair ${index} ${trouble.one} ${trouble.other}`;
  return `${trouble.kind} ${index} ${trouble.kind === "lonely" ? trouble.vm : trouble.domain}`;
}

/** The VMs that it is about, sorted. */
export function membersOf(seats: Seats, trouble: BrokenRule): number[] {
  if (trouble.kind === "pair") return [trouble.one, trouble.other].sort((a, b) => a - b);
  if (trouble.kind === "lonely") return [trouble.vm];
  const { rule, domain } = trouble;
  return [...rule.subjects].filter((vm) => seats.at[vm]! >= 0 && rule.domainOf[seats.at[vm]!] === domain);
}

/** Required rules that do not hold as everybody sits. */
export function* brokenRules(seats: Seats): Generator<BrokenRule> {
  for (const rule of seats.terrain.rules) {
    if (rule.rule.weight !== null) continue;
    if (rule.rule.kind === "together") for (const vm of seats.lonely(rule, false)) yield { kind: "lonely", rule, vm };
    else if (rule.rule.kind === "spread")
      for (const domain of seats.crowded(rule, false)) yield { kind: "crowded", rule, domain };
    else yield* pairsTogether(seats, rule);
  }
}

/** Each pair once. */
function* pairsTogether(seats: Seats, rule: LaidRule): Generator<BrokenRule> {
  const domainOf = (vm: number): number => (seats.at[vm]! < 0 ? -1 : rule.domainOf[seats.at[vm]!]!);
  const othersIn = Map.groupBy(rule.others, domainOf);
  for (const one of rule.subjects) {
    for (const other of domainOf(one) < 0 ? [] : (othersIn.get(domainOf(one)) ?? [])) {
      const isTheOtherWayRound = other < one && rule.isSubject.has(other) && rule.isOther.has(one);
      if (other !== one && !isTheOtherWayRound) yield { kind: "pair", rule, one, other };
    }
  }
}
