/**
 * Whether everybody may live where an assignment puts them. Shares nothing with how assignments are found, so that it can judge them.
 *
 *   problem.ts, homes → [check-assignment.ts] → tests, plan/
 *
 * Only the end is looked at; what holds on the way there is the schedule's promise.
 */
import { domainsThatCount } from "./counting-domains.ts";
import type { Problem, Rule } from "./problem.ts";

/** One thing that is not as it should be at the end. */
export interface Breach {
  readonly kind: "unplaced" | "stays" | "leaving" | "closed" | "allowed" | "room" | Rule["kind"];
  /** Null: it is nobody's alone. */
  readonly vm: number | null;
  /** The node, or for `apart` and `spread` null. */
  readonly node: number | null;
  /** Index into `Problem.rules`; null: no rule's. */
  readonly rule: number | null;
  /** For people, with names. */
  readonly text: string;
}

export interface Verdict {
  /** What the assignment broke, or made worse. */
  readonly broken: readonly Breach[];
  /** What was so at the start, and whose VMs did not move: forgiven, but not right. */
  readonly kept: readonly Breach[];
}

/** `homes`: the node of each VM at the end; -1: it has none. Preferred rules break nothing. */
export function checkAssignment(problem: Problem, homes: ArrayLike<number>): Verdict {
  const broken: Breach[] = [];
  const kept: Breach[] = [];
  const tell = (wasSo: boolean, breach: Breach) => (wasSo ? kept : broken).push(breach);
  checkHomes(problem, homes, tell);
  checkRoom(problem, homes, tell);
  for (const [index, rule] of problem.rules.entries())
    if (rule.weight === null) CHECKS[rule.kind]({ problem, rule, index, homes, tell });
  return { broken, kept };
}

type Tell = (wasSo: boolean, breach: Breach) => void;

function checkHomes({ vms, nodes }: Problem, homes: ArrayLike<number>, tell: Tell): void {
  for (const [vm, { name, home, allowed, moves }] of vms.entries()) {
    const at = homes[vm] ?? -1;
    const node = nodes[at];
    const about = { vm, node: at, rule: null };
    if (node === undefined) {
      const text = home < 0 ? `${name} has no home` : `${name} is taken off its node`;
      tell(home < 0, { kind: "unplaced", vm, node: null, rule: null, text });
      continue;
    }
    const stayed = at === home;
    if (!stayed && moves === "never" && home >= 0)
      tell(false, { ...about, kind: "stays", text: `${name} cannot move, and is moved to ${node.name}` });
    if (node.leaving) tell(stayed, { ...about, kind: "leaving", text: `${name} is on ${node.name}, which is emptied` });
    else if (node.closed && !stayed)
      tell(false, { ...about, kind: "closed", text: `${name} goes to ${node.name}, which takes nobody` });
    if (allowed !== null && !allowed.includes(at))
      tell(stayed, { ...about, kind: "allowed", text: `${name} may not live on ${node.name}` });
  }
}

/** Too full is forgiven where it would be as full, or fuller, if everybody stayed, and where nobody comes who takes of it. */
function checkRoom({ vms, nodes, resources }: Problem, homes: ArrayLike<number>, tell: Tell): void {
  const sum = (where: (vm: number) => number): number[][] => {
    const used = nodes.map(() => resources.map(() => 0));
    for (const [vm, { wants }] of vms.entries()) {
      const on = used[where(vm)];
      if (on !== undefined) for (const [r, amount] of wants.entries()) on[r] = (on[r] ?? 0) + amount;
    }
    return used;
  };
  const comers = Map.groupBy(
    [...vms.keys()].filter((vm) => homes[vm] !== vms[vm]?.home),
    (vm) => homes[vm] ?? -1,
  );
  const staying = sum((vm) => vms[vm]?.home ?? -1);
  for (const [node, used] of sum((vm) => homes[vm] ?? -1).entries()) {
    for (const [r, resource] of resources.entries()) {
      const room = nodes[node]?.room[r] ?? 0;
      const [now, before] = [used[r] ?? 0, staying[node]?.[r] ?? 0];
      if (now <= room) continue;
      const text = `${nodes[node]?.name} would hold ${now} ${resource} and has room for ${room}`;
      const hasComer = (comers.get(node) ?? []).some((vm) => (vms[vm]?.wants[r] ?? 0) > 0);
      tell(now <= before && !hasComer, { kind: "room", vm: null, node, rule: null, text });
    }
  }
}

interface RuleCheck {
  readonly problem: Problem;
  readonly rule: Rule;
  readonly index: number;
  readonly homes: ArrayLike<number>;
  readonly tell: Tell;
}

const CHECKS: Readonly<Record<Rule["kind"], (check: RuleCheck) => void>> = {
  apart: checkApart,
  together: checkTogether,
  spread: checkSpread,
};

const domainAt = (rule: Rule, node: number): number => (node < 0 ? -1 : (rule.domainOf[node] ?? -1));

function checkApart({ problem: { vms }, rule, index, homes, tell }: RuleCheck): void {
  const domainOf = (vm: number) => domainAt(rule, homes[vm] ?? -1);
  const stayed = (vm: number) => homes[vm] === vms[vm]?.home;
  const othersIn = Map.groupBy(rule.others, domainOf);
  const told = new Set<string>();
  for (const vm of rule.subjects) {
    const domain = domainOf(vm);
    if (domain < 0) continue;
    for (const other of othersIn.get(domain) ?? []) {
      const pair = vm < other ? `${vm} ${other}` : `${other} ${vm}`;
      if (other === vm || told.has(pair)) continue;
      told.add(pair);
      const text = `${vms[vm]?.name} and ${vms[other]?.name} are not apart (${rule.text})`;
      tell(stayed(vm) && stayed(other), { kind: "apart", vm, node: homes[vm] ?? null, rule: index, text });
    }
  }
}

function checkTogether({ problem: { vms }, rule, index, homes, tell }: RuleCheck): void {
  const isOther = new Set(rule.others);
  const lonely = (where: (vm: number) => number): Set<number> => {
    const domainOf = (vm: number) => domainAt(rule, where(vm));
    const counts = new Map<number, number>();
    for (const other of isOther) counts.set(domainOf(other), (counts.get(domainOf(other)) ?? 0) + 1);
    counts.delete(-1);
    const settled = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return new Set(
      rule.subjects.filter((vm) => {
        if (where(vm) < 0) return false;
        const domain = domainOf(vm);
        const itself = isOther.has(vm) && domain >= 0 ? 1 : 0;
        const isFirst = isOther.has(vm) && settled === itself;
        return !isFirst && (counts.get(domain) ?? 0) === itself;
      }),
    );
  };
  const before = lonely((vm) => vms[vm]?.home ?? -1);
  for (const vm of lonely((each) => homes[each] ?? -1)) {
    const wasSo = before.has(vm) && homes[vm] === vms[vm]?.home;
    const text = `${vms[vm]?.name} is without those it belongs to (${rule.text})`;
    tell(wasSo, { kind: "together", vm, node: homes[vm] ?? null, rule: index, text });
  }
}

function checkSpread({ problem, rule, index, homes, tell }: RuleCheck): void {
  const { vms } = problem;
  const counting = domainsThatCount(problem, rule);
  const subjects = [...new Set(rule.subjects)];
  const excess = (where: (vm: number) => number): Map<number, number> => {
    const counts = new Map([...counting].map((domain) => [domain, 0]));
    for (const vm of subjects) {
      const domain = domainAt(rule, where(vm));
      if (domain >= 0) counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
    const least = [...counting].reduce(
      (min, domain) => Math.min(min, counts.get(domain) ?? 0),
      Number.POSITIVE_INFINITY,
    );
    return new Map([...counts].map(([domain, count]) => [domain, count - least - rule.skew]));
  };
  const before = excess((vm) => vms[vm]?.home ?? -1);
  const arrived = new Set(
    subjects.filter((vm) => homes[vm] !== vms[vm]?.home).map((vm) => domainAt(rule, homes[vm] ?? -1)),
  );
  for (const [domain, over] of excess((vm) => homes[vm] ?? -1)) {
    if (over <= 0) continue;
    const wasSo = over <= (before.get(domain) ?? 0) && !arrived.has(domain);
    const text = `${over} too many are in one domain (${rule.text}, at most ${rule.skew} more than elsewhere)`;
    tell(wasSo, { kind: "spread", vm: null, node: null, rule: index, text });
  }
}
