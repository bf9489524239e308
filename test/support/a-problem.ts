/** Fleets as numbers, for the tests of placement and schedule: a node is `room`, a VM where it is and what it takes. */
import type { Problem, ProblemNode, ProblemVm, Rule } from "../../src/placement/engine/problem.ts";

/** With room for 8 cpus and 8 GiB, and a link of 1 GiB/s, unless it says otherwise. */
export const aNode = (name: string, of: Partial<ProblemNode> = {}): ProblemNode => ({
  name,
  room: [8, 8192],
  closed: false,
  leaving: false,
  upMiBps: 1024,
  downMiBps: 1024,
  ...of,
});

/** One cpu, and so many MiB both before and afterwards. */
export const aVm = (name: string, home: number, memoryMiB: number, of: Partial<ProblemVm> = {}): ProblemVm => ({
  name,
  home,
  holds: home < 0 ? [0, 0] : [1, memoryMiB],
  wants: [1, memoryMiB],
  allowed: null,
  moves: home < 0 ? "never" : "live",
  moveMiB: memoryMiB,
  dirtyMiBps: 0,
  group: -1,
  ...of,
});

/** Each node its own domain. */
export const apartPerNode = (subjects: readonly number[], nodes: number, of: Partial<Rule> = {}): Rule => ({
  kind: "apart",
  subjects,
  others: subjects,
  domainOf: Array.from({ length: nodes }, (_, node) => node),
  skew: 1,
  weight: null,
  text: "app=web per node",
  ...of,
});

export const aProblem = (
  nodes: readonly ProblemNode[],
  vms: readonly ProblemVm[],
  of: Partial<Problem> = {},
): Problem => ({ resources: ["cpus", "memoryMiB"], nodes, vms, rules: [], groups: [], ...of });
