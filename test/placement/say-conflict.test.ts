/** What a person reads where nothing fits. */
import { expect, test } from "vitest";
import { assign } from "../../src/placement/engine/assign.ts";
import type { Problem } from "../../src/placement/engine/problem.ts";
import { toConflict } from "../../src/placement/say-conflict.ts";
import { aNode, aProblem, apartPerNode, aVm } from "../support/a-problem.ts";

const FOUR = [aNode("n1"), aNode("n2"), aNode("n3"), aNode("n4")];
const said = (problem: Problem) =>
  assign(problem).conflicts.map((conflict) => toConflict(problem, conflict).constraints.map(({ text }) => text));

test("what contradicts each other, each of it needed", () => {
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
      "others stay where they are",
      "antiAffinity app=web per node",
      "the memory that nodes have",
      "it may live on n1, n2, n3 only",
    ],
  ]);
});

test("one that is bigger than every node lacks memory, and nothing else", () => {
  expect(said(aProblem(FOUR, [aVm("new", -1, 9000), aVm("a", 0, 1024)]))).toEqual([["the memory that nodes have"]]);
});

test("one that cannot move from a node that is emptied", () => {
  const nodes = [aNode("n1", { leaving: true, closed: true }), ...FOUR.slice(1)];
  expect(said(aProblem(nodes, [aVm("a", 0, 1024, { moves: "never" })]))).toEqual([
    ["it cannot move", "n1 is to be empty"],
  ]);
});
