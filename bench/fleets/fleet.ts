/**
 * A fleet as other planners are given it: neutral JSON, and the same as the numbers that ours reckon with.
 *
 *   generate.ts → [fleet.ts] → scenarios/, tests
 */
import type { Problem, ProblemVm, Rule } from "../../src/placement/engine/problem.ts";

export interface FleetNode {
  readonly name: string;
  readonly cpu: number;
  readonly memMiB: number;
  readonly upMiBps: number;
  readonly downMiBps: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly maintenance?: boolean;
}

/** Moving sends `memMiB`. It holds cpu and memory where it is, and what it wants (if that is more) where it ends up. */
export interface FleetVm {
  readonly name: string;
  readonly cpu: number;
  readonly memMiB: number;
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  /** No two of a group on one node. */
  readonly groups?: readonly string[];
  readonly pin?: readonly string[];
  readonly wantMemMiB?: number;
  readonly wantCpu?: number;
}

export interface Fleet {
  readonly name: string;
  readonly nodes: readonly FleetNode[];
  readonly vms: readonly FleetVm[];
}

export function toProblem(fleet: Fleet): Problem {
  const sorted = <T extends { readonly name: string }>(all: readonly T[]): T[] =>
    [...all].sort((a, b) => (a.name < b.name ? -1 : 1));
  const nodes = sorted(fleet.nodes);
  const indexOf = new Map(nodes.map(({ name }, index) => [name, index]));
  const find = (name: string): number => indexOf.get(name) ?? -1;
  const groups = new Map<string, number[]>();
  const vms = sorted(fleet.vms).map((vm, index): ProblemVm => {
    for (const group of vm.groups ?? []) groups.set(group, [...(groups.get(group) ?? []), index]);
    return {
      name: vm.name,
      home: find(vm.node),
      holds: [vm.cpu, vm.memMiB],
      wants: [vm.wantCpu ?? vm.cpu, vm.wantMemMiB ?? vm.memMiB],
      allowed: vm.pin ? vm.pin.map(find).sort((a, b) => a - b) : null,
      // A pin is where it has to end up.
      parkable: null,
      moves: "live",
      moveMiB: vm.memMiB,
      dirtyMiBps: 0,
      group: -1,
    };
  });
  const domainOf = nodes.map((_, node) => node);
  return {
    resources: ["cpus", "memoryMiB"],
    nodes: nodes.map((node) => ({
      name: node.name,
      room: [node.cpu, node.memMiB],
      closed: node.maintenance ?? false,
      leaving: node.maintenance ?? false,
      upMiBps: node.upMiBps,
      downMiBps: node.downMiBps,
    })),
    vms,
    rules: [...groups].map(
      ([group, members]): Rule => ({
        kind: "apart",
        subjects: members,
        others: members,
        domainOf,
        skew: 1,
        weight: null,
        text: `group=${group} per node`,
      }),
    ),
    groups: [],
  };
}
