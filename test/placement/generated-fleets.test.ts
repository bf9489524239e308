/** The fleets by which planners are compared have the trouble they are named for, and no other. */
import { expect, test } from "vitest";
import { toProblem } from "../../bench/fleets/fleet.ts";
import { type Family, generateFleet } from "../../bench/fleets/generate.ts";
import { checkAssignment } from "../../src/placement/engine/check-assignment.ts";

const shape = (family: Family, seed = 1) => ({ family, nodes: 40, vms: 800, seed });
const trouble = (family: Family): Record<string, number> => {
  const problem = toProblem(generateFleet(shape(family)));
  const homes = problem.vms.map((vm) => vm.home);
  const { broken, kept } = checkAssignment(problem, homes);
  expect(broken).toEqual([]);
  return Object.fromEntries([...Map.groupBy(kept, ({ kind }) => kind)].map(([kind, all]) => [kind, all.length]));
};

test("each family has its own trouble", () => {
  expect(Object.keys(trouble("drain"))).toEqual(["leaving"]);
  expect(Object.keys(trouble("roll"))).toEqual(["leaving"]);
  expect(Object.keys(trouble("swap"))).toEqual(["allowed"]);
  expect(Object.keys(trouble("grow"))).toEqual(["room"]);
  expect(Object.keys(trouble("aa"))).toEqual(["apart"]);
  expect(Object.keys(trouble("li"))).toEqual(["room"]);
});

test("the same seed gives the same fleet, another another", () => {
  const text = (seed: number) => JSON.stringify(generateFleet(shape("grow", seed)));
  expect(text(3)).toBe(text(3));
  expect(text(3)).not.toBe(text(4));
});

test("swap: each of the two nodes is full, and holds the other's VMs exactly or with what they differ by", () => {
  const { nodes, vms } = generateFleet(shape("swap"));
  const [a, b] = nodes.slice(0, 2);
  const held = (node: string) => vms.filter((vm) => vm.node === node).reduce((sum, vm) => sum + vm.memMiB, 0);
  const pinned = (node: string) => vms.filter((vm) => vm.pin?.[0] === node).reduce((sum, vm) => sum + vm.memMiB, 0);
  expect([a?.memMiB === held("n0"), b?.memMiB === held("n1")]).toContain(true);
  for (const node of [a, b]) expect(pinned(node?.name ?? "")).toBeLessThanOrEqual(node?.memMiB ?? 0);
});
