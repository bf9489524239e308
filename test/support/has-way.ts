/** Whether what could not be done can be, under some of the constraints only: by trying everything, from where everybody sits. */
import { checkAssignment } from "../../src/placement/engine/check-assignment.ts";
import type { Conflict, Constraint } from "../../src/placement/engine/explain-conflict.ts";
import type { Problem } from "../../src/placement/engine/problem.ts";

/** Everybody may be moved as `held` lets them; nothing that is right now may be wrong afterwards. */
export function hasWay(
  problem: Problem,
  homes: readonly number[],
  conflict: Conflict,
  held: readonly Constraint[],
): boolean {
  const holds = (kind: Constraint["kind"], which?: number): boolean =>
    held.some(
      (each) =>
        each.kind === kind &&
        (which === undefined ||
          (each.kind === "room" ? each.resource : each.kind === "rule" ? each.rule : -1) === which),
    );
  const relaxed: Problem = {
    ...problem,
    nodes: problem.nodes.map((node) => ({
      ...node,
      closed: node.closed && holds("closed"),
      leaving: node.leaving && holds("closed"),
      room: node.room.map((amount, r) => (holds("room", r) ? amount : Number.MAX_SAFE_INTEGER)),
    })),
    vms: problem.vms.map((vm, index) => ({
      ...vm,
      home: homes[index]!,
      allowed: holds(index === conflict.vm ? "allowed" : "othersAllowed") ? vm.allowed : null,
      moves: vm.moves === "never" && vm.home >= 0 && holds("never") ? "never" : "live",
    })),
    rules: problem.rules.map((rule, index) => (holds("rule", index) ? rule : { ...rule, weight: 0 })),
  };
  if (conflict.kind === "broken" && relaxed.rules[conflict.rule!]!.weight !== null) {
    // What is left out may be what was broken: then there is nothing to be done.
    if (!isStillBroken(relaxed, homes, conflict)) return true;
  }
  const tried = [...homes];
  const visit = (vm: number): boolean => {
    const { vms, nodes } = relaxed;
    if (vm === vms.length) return isDone(relaxed, tried, conflict);
    const { home, moves, allowed } = vms[vm]!;
    // Who was given no home is no part of this.
    if (home < 0 && vm !== conflict.vm) return visit(vm + 1);
    for (const [node, { closed, leaving }] of nodes.entries()) {
      if (node !== home && (closed || leaving || (home >= 0 && moves === "never"))) continue;
      if (node !== home && allowed !== null && !allowed.includes(node)) continue;
      tried[vm] = node;
      if (!isTooFull(relaxed, tried, vm, node) && visit(vm + 1)) return true;
    }
    tried[vm] = home;
    return false;
  };
  return visit(0);
}

function isDone(problem: Problem, tried: readonly number[], conflict: Conflict): boolean {
  const { kind, vm, node } = conflict;
  const { broken, kept } = checkAssignment(problem, tried);
  if (broken.length > 0) return false;
  if (kind === "broken") return !isStillBroken(problem, tried, conflict);
  if (kind === "overfull") return !kept.some((each) => each.kind === "room" && each.node === node);
  const at = tried[vm!]!;
  const isHome = at === problem.vms[vm!]!.home;
  return (
    at >= 0 && !kept.some((each) => isHome && each.vm === vm && (each.kind === "leaving" || each.kind === "allowed"))
  );
}

/** Whether what was broken, and nobody put right, is so at the end. */
function isStillBroken({ rules, vms, nodes }: Problem, tried: readonly number[], conflict: Conflict): boolean {
  const rule = rules[conflict.rule!]!;
  if (rule.weight !== null) return false;
  const domainOf = (vm: number): number => (tried[vm]! < 0 ? -1 : rule.domainOf[tried[vm]!]!);
  const { members } = conflict;
  if (rule.kind === "apart") return domainOf(members[0]!) >= 0 && domainOf(members[0]!) === domainOf(members[1]!);
  const alone: Problem = {
    resources: [],
    nodes: nodes.map((node) => ({ ...node, room: [] })),
    vms: vms.map((vm) => ({ ...vm, wants: [] })),
    rules: [rule],
    groups: [],
  };
  const { broken, kept } = checkAssignment(alone, tried);
  const about = [...broken, ...kept].filter((each) => each.kind === rule.kind);
  if (rule.kind === "together") return about.some(({ vm }) => vm === members[0]);
  return about.length > 0;
}

/** Of those seated so far one that came makes its node too full: the rest could only make it fuller. */
function isTooFull({ vms, nodes, resources }: Problem, tried: readonly number[], last: number, node: number): boolean {
  if (node === vms[last]!.home) return false;
  return resources.some((_, r) => {
    if (vms[last]!.wants[r] === 0) return false;
    let sum = 0;
    for (let vm = 0; vm <= last; vm++) if (tried[vm] === node) sum += vms[vm]!.wants[r]!;
    return sum > nodes[node]!.room[r]!;
  });
}
