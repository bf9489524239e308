/** The best assignment of a small fleet, by trying them all: what the search for seats is held against. */
import { checkAssignment } from "../../src/placement/engine/check-assignment.ts";
import type { Problem, ProblemVm, Rule } from "../../src/placement/engine/problem.ts";

export interface Best {
  readonly homes: readonly number[];
  readonly movedMiB: number;
  readonly moves: number;
}

/**
 * Everybody has a home, no node is too full, every required rule holds, and nothing is left as it was: with the fewest moved
 * bytes, of those with the fewest moves. Null: there is none. Undefined: more than `tries` were needed to say.
 */
export function bestAssignment(problem: Problem, tries = 3_000_000): Best | null | undefined {
  const { nodes, vms } = problem;
  const free = nodes.map((node) => [...node.room]);
  const homes = vms.map(() => -1);
  const apart = problem.rules.filter((rule) => rule.kind === "apart" && rule.weight === null);
  const hasOthers = problem.rules.some((rule) => rule.kind !== "apart" && rule.weight === null);
  // Those with the fewest choices first, and big ones: what cannot be is seen early.
  const choices = vms.map((vm) => placesOf(problem, vm));
  const order = vms.map((_, vm) => vm).sort((a, b) => choices[a]!.length - choices[b]!.length || b - a);
  let best: Best | null = null;
  let left = tries;

  const visit = (position: number, movedMiB: number, moves: number): void => {
    if (left-- <= 0) return;
    if (best !== null && (movedMiB > best.movedMiB || (movedMiB === best.movedMiB && moves >= best.moves))) return;
    const vm = order[position];
    if (vm === undefined) {
      if (!hasOthers || isRight(problem, homes)) best = { homes: [...homes], movedMiB, moves };
      return;
    }
    const { home, wants, moveMiB } = vms[vm]!;
    for (const node of choices[vm]!) {
      const room = free[node]!;
      if (wants.some((want, r) => want > 0 && want > room[r]!)) continue;
      if (apart.some((rule) => clashes(rule, vm, node, homes))) continue;
      for (const [r, want] of wants.entries()) room[r]! -= want;
      homes[vm] = node;
      const isMove = home >= 0 && node !== home;
      visit(position + 1, movedMiB + (isMove ? moveMiB : 0), moves + (isMove ? 1 : 0));
      homes[vm] = -1;
      for (const [r, want] of wants.entries()) room[r]! += want;
    }
  };
  visit(0, 0, 0);
  return left <= 0 ? undefined : best;
}

function isRight(problem: Problem, homes: readonly number[]): boolean {
  const { broken, kept } = checkAssignment(problem, homes);
  return broken.length === 0 && kept.length === 0;
}

function placesOf({ nodes }: Problem, { home, allowed, moves }: ProblemVm): number[] {
  const may = nodes.flatMap((node, index) => {
    if (allowed !== null && !allowed.includes(index)) return [];
    if (index === home) return node.leaving ? [] : [index];
    return node.closed || node.leaving || (home >= 0 && moves === "never") ? [] : [index];
  });
  return may.sort((a, b) => Number(b === home) - Number(a === home));
}

function clashes({ subjects, others, domainOf }: Rule, vm: number, node: number, homes: readonly number[]): boolean {
  const domain = domainOf[node]!;
  if (domain < 0) return false;
  const meets = (all: readonly number[]) =>
    all.some((each) => each !== vm && homes[each]! >= 0 && domainOf[homes[each]!] === domain);
  return (subjects.includes(vm) && meets(others)) || (others.includes(vm) && meets(subjects));
}
