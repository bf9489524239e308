/** Where everybody is to live: who must move does, nobody else, and room is made with the fewest bytes. */
import { expect, test } from "vitest";
import { toProblem } from "../../bench/fleets/fleet.ts";
import { type Family, generateFleet } from "../../bench/fleets/generate.ts";
import { assign } from "../../src/placement/engine/assign.ts";
import { checkAssignment } from "../../src/placement/engine/check-assignment.ts";
import type { Problem, Rule } from "../../src/placement/engine/problem.ts";
import { aNode, aProblem, apartPerNode, aVm } from "../support/a-problem.ts";

const THREE = [aNode("n1"), aNode("n2"), aNode("n3")];
const emptied = { leaving: true, closed: true };

/** `a: n1 → n2 (leaving)` */
function told(problem: Problem): string[] {
  const { homes, moves, conflicts } = assign(problem);
  expect(checkAssignment(problem, homes).broken).toEqual([]);
  const name = (node: number) => problem.nodes[node]?.name ?? "nowhere";
  const movers = new Map(moves.map((move) => [move.vm, move]));
  const lines = problem.vms.flatMap((vm, index) => {
    const move = movers.get(index);
    if (move === undefined) return vm.home < 0 ? [`${vm.name}: new on ${name(homes[index]!)}`] : [];
    const makesRoom =
      move.why.kind === "makesRoom" ? ` for ${move.why.for.map((each) => problem.vms[each]?.name)}` : "";
    return [`${vm.name}: ${name(move.from)} → ${name(move.to)} (${move.why.kind}${makesRoom})`];
  });
  return [
    ...lines,
    ...conflicts.map(({ kind, vm, node }) => `${kind}: ${vm === null ? name(node!) : problem.vms[vm]?.name}`),
  ];
}

test("where all is well nobody moves", () => {
  expect(told(aProblem(THREE, [aVm("a", 0, 8192), aVm("b", 1, 1024), aVm("c", 1, 1024)]))).toEqual([]);
});

test("a node that is emptied: each goes where it is emptiest afterwards", () => {
  const nodes = [aNode("n1", emptied), ...THREE.slice(1)];
  const vms = [aVm("a", 0, 2048), aVm("b", 0, 4096), aVm("c", 1, 1024)];
  expect(told(aProblem(nodes, vms))).toEqual(["a: n1 → n2 (leaving)", "b: n1 → n3 (leaving)"]);
});

test("one that may no longer live where it is moves; one that cannot move is a conflict", () => {
  expect(told(aProblem(THREE, [aVm("a", 0, 1024, { allowed: [2] })]))).toEqual(["a: n1 → n3 (allowed)"]);
  const stuck = aVm("a", 0, 1024, { allowed: [2], moves: "never" });
  expect(told(aProblem(THREE, [stuck]))).toEqual(["stays: a"]);
});

test("a node whose VMs want more than it has sheds the fewest bytes, and not who grows", () => {
  const vms = [aVm("a", 0, 4096, { wants: [1, 6144] }), aVm("b", 0, 3072), aVm("c", 0, 1024), aVm("d", 1, 1024)];
  expect(told(aProblem(THREE, vms))).toEqual(["b: n1 → n3 (overfull)"]);
});

test("room is made for one that fits nowhere, by the smallest that is enough", () => {
  const vms = [
    aVm("a", 0, 3072),
    aVm("b", 0, 1024),
    aVm("c", 1, 2048),
    aVm("d", 1, 2048),
    aVm("e", 2, 4096),
    aVm("new", -1, 7168),
  ];
  expect(told(aProblem(THREE, vms))).toEqual(["a: n1 → n2 (makesRoom for new)", "new: new on n1"]);
});

test("a live move is made rather than a cold one, however much smaller that were", () => {
  const vms = [
    aVm("a", 0, 1024, { moves: "cold" }),
    aVm("b", 0, 4096),
    aVm("c", 1, 3072),
    aVm("d", 2, 8192, { moves: "never" }),
    aVm("new", -1, 4096, { allowed: [0] }),
  ];
  expect(told(aProblem(THREE, vms))).toEqual(["b: n1 → n2 (makesRoom for new)", "new: new on n1"]);
});

test("two that are not apart are parted, the smaller moves; where no way is, they are left", () => {
  const rules = [apartPerNode([0, 1], 3)];
  const vms = [aVm("a", 0, 2048), aVm("b", 0, 1024)];
  expect(told(aProblem(THREE, vms, { rules }))).toEqual(["b: n1 → n2 (rule)"]);
  const pinned = vms.map((vm) => ({ ...vm, allowed: [0] }));
  expect(told(aProblem(THREE, pinned, { rules }))).toEqual(["broken: nowhere"]);
});

test("who belongs together leaves together", () => {
  const beside: Rule = { ...apartPerNode([0, 1], 3), kind: "together", subjects: [0], others: [1], text: "beside b" };
  const nodes = [aNode("n1", emptied), aNode("n2", { room: [8, 3072] }), aNode("n3")];
  const problem = aProblem(nodes, [aVm("a", 0, 2048), aVm("b", 0, 2048)], { rules: [beside] });
  expect(told(problem)).toEqual(["a: n1 → n3 (leaving)", "b: n1 → n3 (leaving)"]);
});

test("who is followed by another that may not be without it", () => {
  const beside: Rule = { ...apartPerNode([0, 1], 3), kind: "together", subjects: [0], others: [1], text: "beside b" };
  const vms = [aVm("a", 0, 2048), aVm("b", 0, 2048, { allowed: [1] })];
  expect(told(aProblem(THREE, vms, { rules: [beside] }))).toEqual(["a: n1 → n2 (rule)", "b: n1 → n2 (allowed)"]);
});

test("who goes home to a node that lacks memory all the same leaves the cpus to those who came for them", () => {
  const nodes = [
    aNode("n0", { room: [3, 8192] }),
    aNode("n1", { room: [4, 4096] }),
    aNode("n2", { room: [3, 8192], closed: true }),
  ];
  const of = (cpus: number, before: number, after: number) => ({ holds: [cpus, before], wants: [cpus, after] });
  const problem = aProblem(nodes, [
    aVm("v0", 1, 3072, of(2, 3072, 3072)),
    aVm("v1", 0, 0, of(0, 0, 0)),
    aVm("v2", 1, 2048, of(1, 2048, 3072)),
    aVm("v3", 0, 2048, of(1, 2048, 4096)),
    aVm("v4", -1, 2048, { wants: [0, 3072] }),
    aVm("v5", 1, 0, of(1, 0, 2048)),
    aVm("v6", 2, 0, { ...of(2, 0, 0), allowed: [1] }),
  ]);
  expect(checkAssignment(problem, assign(problem).homes).broken).toEqual([]);
});

test("preferred rules choose among nodes with room, and move nobody", () => {
  const rules = [apartPerNode([0, 1, 2], 3, { weight: 10 })];
  const vms = [aVm("a", 0, 1024), aVm("b", 0, 1024), aVm("c", -1, 1024), aVm("d", 1, 6144), aVm("e", 2, 7168)];
  expect(told(aProblem(THREE, vms, { rules }))).toEqual(["c: new on n2"]);
});

test("a VM that is off takes nothing, and goes even where all is full", () => {
  const vms = [aVm("a", 1, 8192), aVm("b", 2, 8192), aVm("off", 0, 4096, { holds: [0, 0], wants: [0, 0] })];
  expect(told(aProblem([aNode("n1", emptied), ...THREE.slice(1)], vms))).toEqual(["off: n1 → n2 (leaving)"]);
});

const made = (family: Family, nodes: number, vms: number, seed: number) =>
  toProblem(generateFleet({ family, nodes, vms, seed }));

test.each(["drain", "roll", "swap", "grow", "aa", "li"] as const)(
  "a fleet with trouble (%s) is put right",
  (family) => {
    for (const seed of [1, 2, 3]) {
      const problem = made(family, 40, 800, seed);
      const { homes, moves, conflicts } = assign(problem);
      expect(conflicts).toEqual([]);
      expect(checkAssignment(problem, homes)).toEqual({ broken: [], kept: [] });
      expect(moves.map(({ why }) => why.kind)).not.toContain("makesRoom");
    }
  },
);

/** What must leave the nodes that are too full, at the least: of each the cheapest set that makes room, by memory alone. */
function mustShedMiB({ nodes, vms }: Problem): number {
  return nodes.reduce((sum, { room }, node) => {
    const here = vms.filter((vm) => vm.home === node);
    const over = (here.reduce((total, vm) => total + vm.wants[1]!, 0) - room[1]!) / 1024;
    if (over <= 0) return sum;
    // By GiB that are freed, the fewest MiB that it takes; more than needed counts as what is needed.
    let fewest = [0, ...Array.from({ length: Math.ceil(over) }, () => Number.POSITIVE_INFINITY)];
    for (const { wants, moveMiB } of here) {
      const freed = Math.floor(wants[1]! / 1024);
      const before = fewest;
      fewest = before.map((least, gib) => Math.min(least, before[Math.max(0, gib - freed)]! + moveMiB));
    }
    return sum + fewest.at(-1)!;
  }, 0);
}

test("a packed fleet that grows sends no more than its overfull nodes must shed", () => {
  for (const seed of [1, 2, 3]) {
    const problem = made("grow", 100, 2000, seed);
    const moved = assign(problem).moves.reduce((sum, { vm }) => sum + problem.vms[vm]!.moveMiB, 0);
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThanOrEqual(1.1 * mustShedMiB(problem));
  }
});

test("a thousand nodes of which a tenth are too full are put right at once", () => {
  const problem = made("li", 1000, 6000, 1);
  const { homes, moves, conflicts } = assign(problem);
  expect(conflicts).toEqual([]);
  expect(checkAssignment(problem, homes)).toEqual({ broken: [], kept: [] });
  expect(new Set(moves.map(({ from }) => from)).size).toBeGreaterThan(60);
  expect(moves.every(({ why }) => why.kind === "overfull")).toBe(true);
});
