/**
 * Who moves though its own manifest did not change, and for whom a rule does not hold: in words.
 *
 *   seat-fleet.ts → [tell-seats.ts] → place-fleet.ts
 */
import type { Blocked, Reason } from "../model/changes.ts";
import type { DesiredVm } from "../model/desired-state.ts";
import type { VmName } from "../model/names.ts";
import { toMover } from "../reconcile/departure.ts";
import type { Homeless } from "../reconcile/draft.ts";
import { moveAsItIs } from "../reconcile/move-as-it-is.ts";
import type { Failure } from "./engine/explain-conflict.ts";
import type { Move } from "./engine/why-moved.ts";
import { nameRule, toConflict } from "./say-conflict.ts";
import type { SeatedFleet, Sitter } from "./seat-fleet.ts";

/** One that has a home and nothing to leave it for but others, or a rule. */
export function movedNeighbour(seated: SeatedFleet, move: Move): Homeless {
  const sitter = seated.sitters[move.vm];
  if (sitter?.kind !== "neighbour" || sitter.able === null) throw new Error("one that cannot move would be moved");
  const { neighbour, able } = sitter;
  const isOfRule = move.why.kind === "rule";
  const reason: Reason = {
    because: "placement",
    field: isOfRule ? "placement" : null,
    from: neighbour.home,
    to: seated.nodeOf(move.vm),
    class: "migrate",
    text: sayWhy(seated, move),
    source: isOfRule ? (able.vm.whereIs("/spec/placement") ?? able.vm.source) : null,
  };
  const { draft, vm, home } = neighbour;
  const homeless =
    draft === null ? moveAsItIs(vm, home, able, [reason]) : toMover({ ...draft, reasons: [...draft.reasons, reason] });
  if (homeless === null) throw new Error(`${vm.name} would be moved and cannot move`);
  return homeless;
}

function sayWhy({ problem, sitters }: SeatedFleet, { from, why }: Move): string {
  const node = problem.nodes[from]?.name ?? "";
  const names = (vms: readonly number[]): string => listSome(vms.map((vm) => problem.vms[vm]?.name ?? ""));
  switch (why.kind) {
    case "rule": {
      const rule = problem.rules[why.rule];
      if (rule === undefined) return `a rule does not let it stay on ${node}`;
      if (rule.kind === "apart" && why.mates.length > 0)
        return `it must not be where ${names(why.mates)} ${why.mates.length === 1 ? "is" : "are"}: ${nameRule(rule)}`;
      if (rule.kind === "together") return `it is to be where others are, and on ${node} it is not: ${nameRule(rule)}`;
      if (rule.kind === "spread") return `too many are where it is: ${nameRule(rule)}`;
      return `a rule does not let it stay on ${node}: ${nameRule(rule)}`;
    }
    case "makesRoom":
      return why.for.length === 0 ? `it makes room on ${node}` : `it makes room on ${node} for ${names(why.for)}`;
    default: {
      const growers = sitters.flatMap((sitter) =>
        sitter.kind === "grows" && sitter.tooBig.draft.node === node ? [sitter.tooBig.draft.name] : [],
      );
      return growers.length === 0
        ? `it makes room on ${node}`
        : `it makes room on ${node} for ${listSome(growers)} to grow`;
    }
  }
}

const listSome = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;

/**
 * VMs for whom a required rule does not hold, and nobody could be moved so that it does; each once. So many of them are
 * told what is in the way. Not those whom nobody asked about, and not those who are `told` of already.
 */
export function ruleBlocked(seated: SeatedFleet, told: ReadonlySet<string>, most: number): Blocked[] {
  const chosen = new Map<VmName, { readonly failure: Broken; readonly vm: DesiredVm }>();
  for (const failure of seated.failures) {
    if (failure.kind !== "broken") continue;
    const asked = membersAsked(seated, failure);
    const vm = asked.find(({ name }) => !told.has(name) && !chosen.has(name));
    const isTold = asked.some(({ name }) => told.has(name) || chosen.has(name));
    if (vm !== undefined && !isTold) chosen.set(vm.name, { failure, vm });
  }
  const conflicts = seated.explain([...chosen.values()].slice(0, most).map(({ failure }) => failure));
  return [...chosen.values()].map(({ failure: { trouble }, vm }, index): Blocked => {
    const conflict = conflicts[index];
    const rule = seated.problem.rules[trouble.rule.index];
    const others = (trouble.kind === "pair" ? [trouble.one, trouble.other] : [])
      .map((member) => seated.problem.vms[member]?.name ?? "")
      .filter((name) => name !== vm.name);
    const itself = seated.problem.vms.findIndex(({ name }) => name === vm.name);
    const where = seated.nodeOf(itself);
    const mates = others.length > 0 ? ` with ${listSome(others)}` : "";
    return {
      name: vm.name,
      code: "UNPLACEABLE",
      message: `${vm.name} stays on ${where}${mates}, against its ${rule === undefined ? "placement" : nameRule(rule)}: nobody can be moved so that it holds`,
      hint: "let one of them move, make room, or loosen the rule",
      source: vm.whereIs("/spec/placement") ?? vm.source,
      ...(conflict === undefined ? {} : { conflict: toConflict(seated.problem, conflict) }),
    };
  });
}

type Broken = Extract<Failure, { readonly kind: "broken" }>;

/** Those who have the rule first, then by name. */
function membersAsked({ sitters }: SeatedFleet, { trouble }: Broken): DesiredVm[] {
  const { rule } = trouble;
  const members =
    trouble.kind === "pair"
      ? [trouble.other, trouble.one]
      : trouble.kind === "lonely"
        ? [trouble.vm]
        : [...rule.subjects];
  const asked = members.flatMap((member) => {
    const vm = wantedOf(sitters[member]);
    return vm === null ? [] : [{ vm, isSubject: rule.isSubject.has(member) }];
  });
  return asked.sort((a, b) => Number(b.isSubject) - Number(a.isSubject)).map(({ vm }) => vm);
}

/** Null: nobody asked about it. */
function wantedOf(sitter: Sitter | undefined): DesiredVm | null {
  if (sitter?.kind === "homeless") return sitter.homeless.vm;
  if (sitter?.kind === "neighbour") return sitter.asked;
  return sitter?.kind === "grows" ? (sitter.tooBig.mover?.vm ?? null) : null;
}
