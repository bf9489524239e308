/** What a person reads where nothing fits. */
import { expect, test } from "vitest";
import { assign } from "../../src/placement/assign.ts";
import type { Problem } from "../../src/placement/problem.ts";
import { sayCore, sayFilters } from "../../src/placement/say-conflict.ts";
import { aNode, aProblem, apartPerNode, aVm } from "../support/a-problem.ts";

const FOUR = [aNode("n1"), aNode("n2"), aNode("n3"), aNode("n4")];
const said = (problem: Problem) =>
  assign(problem).conflicts.map((conflict) => [sayFilters(problem, conflict), sayCore(problem, conflict)]);

test("by filter, how many nodes are left; and what contradicts each other", () => {
  const rules = [apartPerNode([0, 1], 4)];
  const held = { moves: "never" } as const;
  const vms = [
    aVm("new", -1, 4096, { allowed: [0, 1, 2] }),
    aVm("a", 0, 1024, held),
    aVm("b", 1, 6144, held),
    aVm("c", 2, 8192, held),
  ];
  const problem = aProblem(FOUR, vms, { rules });
  expect(said(problem)).toEqual([
    [
      "4 nodes: 3 allowed, 1 with room for 4096 memoryMiB, 0 by app=web per node",
      "others cannot move; app=web per node; the memoryMiB that nodes have; it may live on n1, n2, n3 only",
    ],
  ]);
});

test("one that is bigger than every node lacks memory, and nothing else", () => {
  expect(said(aProblem(FOUR, [aVm("new", -1, 9000), aVm("a", 0, 1024)]))).toEqual([
    ["4 nodes: 0 with room for 9000 memoryMiB", "the memoryMiB that nodes have"],
  ]);
});

test("one that cannot move from a node that is emptied", () => {
  const nodes = [aNode("n1", { leaving: true, closed: true }), ...FOUR.slice(1)];
  expect(said(aProblem(nodes, [aVm("a", 0, 1024, { moves: "never" })]))).toEqual([
    ["4 nodes: 3 open", "it cannot move; n1 is to be empty"],
  ]);
});
