/**
 * A problem laid out for reckoning: typed arrays, so that thousands of VMs can be tried on thousands of nodes.
 *
 *   problem.ts → [terrain.ts] → seats.ts, find-seats.ts
 *
 * Never changed once made: who sits where is in `Seats`.
 */
import { byName } from "../../model/names.ts";
import { domainsThatCount } from "./counting-domains.ts";
import type { Problem, ProblemVm, Rule } from "./problem.ts";

/** Rules and what they divide the fleet into. Many rules share one division: it is kept once. */
interface Division {
  readonly domainOf: Int32Array;
  readonly nodesIn: readonly (readonly number[])[];
}

export interface LaidRule {
  /** Index into `Problem.rules`. */
  readonly index: number;
  readonly rule: Rule;
  readonly domainOf: Int32Array;
  readonly nodesIn: readonly (readonly number[])[];
  readonly subjects: Int32Array;
  readonly others: Int32Array;
  readonly isSubject: ReadonlySet<number>;
  readonly isOther: ReadonlySet<number>;
  /** The domains that a spread is measured by. */
  readonly counting: readonly number[];
}

/**
 * One guest's standstill is dearer than any amount of bytes that a network carries: 2^20 MiB is a TiB for each cold move.
 * Of as many bytes, fewer moves: 2^-10 MiB for each.
 */
const COLD_MOVE = 2 ** 20;
export const EACH_MOVE = 2 ** -10;

export class Terrain {
  readonly problem: Problem;
  readonly nodes: number;
  readonly vms: number;
  readonly resources: number;
  /** By node and resource. */
  readonly room: Float64Array;
  /** By VM and resource. */
  readonly wants: Float64Array;
  /** By node and resource: the room that those who cannot move leave. */
  readonly ceiling: Float64Array;
  readonly home: Int32Array;
  /** What it costs that a VM ends up elsewhere than at home, in MiB; new ones cost nothing. */
  readonly cost: Float64Array;
  /** 1: may be put elsewhere, because it can move or is new. */
  readonly movable: Uint8Array;
  readonly closed: Uint8Array;
  readonly leaving: Uint8Array;
  /** By VM: 1 for each node that it may live on. */
  readonly allowed: readonly Uint8Array[];
  /** Sorted by what they say. */
  readonly rules: readonly LaidRule[];
  /** By VM: the required and the preferred rules that it is a subject of, or one of the others. */
  readonly requiredOf: readonly (readonly LaidRule[])[];
  readonly preferredOf: readonly (readonly LaidRule[])[];
  /** More domains than any rule has. */
  readonly domains: number;

  constructor(problem: Problem) {
    const { nodes, vms, resources } = problem;
    this.problem = problem;
    this.nodes = nodes.length;
    this.vms = vms.length;
    this.resources = resources.length;
    this.room = Float64Array.from(nodes.flatMap((node) => node.room));
    this.wants = Float64Array.from(vms.flatMap((vm) => vm.wants));
    this.home = Int32Array.from(vms, (vm) => vm.home);
    this.cost = Float64Array.from(vms, costOf);
    this.movable = Uint8Array.from(vms, ({ home, moves }) => (home < 0 || moves !== "never" ? 1 : 0));
    this.ceiling = Float64Array.from(this.room);
    for (const [vm, { home, wants }] of vms.entries())
      if (home >= 0 && this.movable[vm] === 0)
        for (const [r, want] of wants.entries()) this.ceiling[home * this.resources + r]! -= want;
    this.closed = Uint8Array.from(nodes, ({ closed, leaving }) => (closed || leaving ? 1 : 0));
    this.leaving = Uint8Array.from(nodes, ({ leaving }) => (leaving ? 1 : 0));
    this.allowed = layAllowed(problem);
    this.rules = layRules(problem);
    const byVm = (all: readonly LaidRule[]): LaidRule[][] => {
      const of: LaidRule[][] = vms.map(() => []);
      for (const laid of all) for (const vm of new Set([...laid.subjects, ...laid.others])) of[vm]?.push(laid);
      return of;
    };
    this.requiredOf = byVm(this.rules.filter(({ rule }) => rule.weight === null));
    this.preferredOf = byVm(this.rules.filter(({ rule }) => rule.weight !== null));
    this.domains = this.rules.reduce((most, { nodesIn }) => Math.max(most, nodesIn.length), 1);
  }
}

const costOf = ({ home, moves, moveMiB }: ProblemVm): number =>
  home < 0 ? 0 : moveMiB + EACH_MOVE + (moves === "cold" ? COLD_MOVE : 0);

function layAllowed({ vms, nodes }: Problem): Uint8Array[] {
  const everywhere = new Uint8Array(nodes.length).fill(1);
  const known = new Map<readonly number[], Uint8Array>();
  return vms.map(({ allowed }) => {
    if (allowed === null) return everywhere;
    const mask = known.get(allowed) ?? new Uint8Array(nodes.length);
    if (!known.has(allowed)) for (const node of allowed) mask[node] = 1;
    known.set(allowed, mask);
    return mask;
  });
}

function layRules(problem: Problem): LaidRule[] {
  const divisions: Division[] = [];
  const known = new Map<readonly number[], Division>();
  const divisionOf = (domains: readonly number[]): Division => {
    const same =
      known.get(domains) ??
      divisions.find(({ domainOf }) => domains.every((domain, node) => domainOf[node] === domain));
    const division = same ?? divide(domains);
    if (same === undefined) divisions.push(division);
    known.set(domains, division);
    return division;
  };
  const laid = problem.rules.map((rule, index): LaidRule => {
    const { domainOf, nodesIn } = divisionOf(rule.domainOf);
    const [isSubject, isOther] = [new Set(rule.subjects), new Set(rule.others)];
    return {
      index,
      rule,
      domainOf,
      nodesIn,
      subjects: Int32Array.from(isSubject).sort(),
      others: Int32Array.from(isOther).sort(),
      isSubject,
      isOther,
      counting: rule.kind === "spread" ? [...domainsThatCount(problem, rule)] : [],
    };
  });
  return sortRules(laid);
}

/** By what they say, so that the order in which they are listed makes no difference. */
function sortRules(rules: readonly LaidRule[]): LaidRule[] {
  const keyed = rules.map((laid) => {
    const { kind, text, skew, weight } = laid.rule;
    return { laid, key: `${kind} ${text} ${skew} ${weight} ${laid.subjects.join()} ${laid.others.join()}` };
  });
  return keyed.sort((a, b) => byName(a.key, b.key)).map(({ laid }) => laid);
}

function divide(domains: readonly number[]): Division {
  const nodesIn: number[][] = [];
  for (const [node, domain] of domains.entries()) {
    while (nodesIn.length <= domain) nodesIn.push([]);
    nodesIn[domain]?.push(node);
  }
  return { domainOf: Int32Array.from(domains), nodesIn };
}
