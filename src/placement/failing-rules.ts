/**
 * Whether some required rule about VMs that have homes does not hold: asked of every plan, so it only counts. Who it is that has
 * to move is a question for the engine.
 *
 *   neighbours.ts → [failing-rules.ts] → place-fleet.ts
 */
import type { AffinityRule, DesiredNode, DesiredState, LabelMatch } from "../model/desired-state.ts";
import { type Labels, meets } from "../model/may-live-on.ts";
import type { NodeName } from "../model/names.ts";
import { domainOf } from "./domains.ts";
import { type FleetSpread, SpreadBook } from "./spread-book.ts";

/** One that lives somewhere in the end. */
export interface Settler {
  readonly home: NodeName;
  readonly labels: Labels;
  readonly placement: { readonly affinity: readonly AffinityRule[]; readonly antiAffinity: readonly AffinityRule[] };
  readonly goes?: boolean;
}

export const hasRequiredRules = ({ vms }: DesiredState): boolean =>
  vms.some(
    ({ placement: { affinity, antiAffinity, spread } }) =>
      antiAffinity.some(isRequired) || affinity.some(isRequired) || spread?.some(isRequired) === true,
  );

const isRequired = ({ required }: AffinityRule): boolean => required;

interface Asked<Of extends Settler> {
  readonly kind: "apart" | "together";
  readonly rule: AffinityRule;
  readonly subjects: Of[];
}

/** `subject`: the first for whom the rule does not hold; of a spread, which is about many: null. */
export interface FailingRule<Of extends Settler> {
  readonly subject: Of | null;
  readonly rule: AffinityRule | null;
}

/** Null: all hold. */
export function findFailingRule<Of extends Settler>(
  nodes: readonly DesiredNode[],
  spreads: readonly FleetSpread[],
  settlers: readonly Of[],
): FailingRule<Of> | null {
  if (spreads.length > 0) {
    const book = new SpreadBook(nodes, spreads);
    for (const { goes, labels, home } of settlers) if (goes !== true) book.settle(labels, home);
    if (book.isBroken) return { subject: null, rule: null };
  }
  const asked = new Map<string, Asked<Of>>();
  const ask = (kind: Asked<Of>["kind"], rule: AffinityRule, settler: Of): void => {
    const key = keyOf(kind, rule);
    const known = asked.get(key);
    if (known === undefined) asked.set(key, { kind, rule, subjects: [settler] });
    else known.subjects.push(settler);
  };
  for (const settler of settlers) {
    if (settler.goes) continue;
    for (const rule of settler.placement.antiAffinity) if (rule.required) ask("apart", rule, settler);
    for (const rule of settler.placement.affinity) if (rule.required) ask("together", rule, settler);
  }
  if (asked.size === 0) return null;
  const nodeOf = new Map(nodes.map((node) => [node.name, node]));
  const domain = ({ home }: Settler, rule: AffinityRule): string | null => {
    const node = nodeOf.get(home);
    return node === undefined ? null : domainOf(node, rule.per);
  };
  const find = findByLabel(settlers.filter(({ goes }) => goes !== true));
  for (const { kind, rule, subjects } of asked.values()) {
    const counts = new Map<string | null, number>();
    for (const each of find(rule)) {
      const where = domain(each, rule);
      counts.set(where, (counts.get(where) ?? 0) + 1);
    }
    counts.delete(null);
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const failing = subjects.find((subject) => {
      const where = domain(subject, rule);
      const itself = where !== null && meets(subject.labels, rule) ? 1 : 0;
      const others = (where === null ? 0 : (counts.get(where) ?? 0)) - itself;
      if (kind === "apart") return others > 0;
      const isFirst = meets(subject.labels, rule) && all === itself;
      return others === 0 && !isFirst;
    });
    if (failing !== undefined) return { subject: failing, rule };
  }
  return null;
}

const keyOf = (kind: Asked<Settler>["kind"], { match, expressions, per }: AffinityRule): string => {
  let key = `${kind} ${per}`;
  for (const label in match) {
    const value = match[label] as string;
    key += `\n${label}=${value.length}:${value}`;
  }
  return expressions === undefined ? key : `${key}\n${JSON.stringify(expressions)}`;
};

/** By the first label that is asked for: in a fleet of thousands each rule is about few. */
function findByLabel(settlers: readonly Settler[]): (rule: LabelMatch) => readonly Settler[] {
  const having = new Map<string, Map<string, Settler[]>>();
  for (const settler of settlers)
    for (const [label, value] of Object.entries(settler.labels)) {
      const values = having.get(label) ?? new Map<string, Settler[]>();
      having.set(label, values);
      const all = values.get(value);
      if (all === undefined) values.set(value, [settler]);
      else all.push(settler);
    }
  return (rule) => {
    const [first] = Object.entries(rule.match);
    const some = first === undefined ? settlers : (having.get(first[0])?.get(first[1]) ?? []);
    return some.filter(({ labels }) => meets(labels, rule));
  };
}
