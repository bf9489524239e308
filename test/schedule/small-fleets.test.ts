/**
 * Fleets of up to 6 nodes and 10 VMs (swaps, circles, drains, repairs of anti-affinity, puzzles) against what looking at every state came to:
 * `scripts/solve-small-fleets.ts` has done that, and its answers are kept.
 */
import { expect, test } from "vitest";
import { sequence } from "../../src/schedule/sequence.ts";
import { faultsOfOrder, faultsOfTimes } from "../support/check-sequence.ts";
import { fewestActs } from "../support/every-order.ts";
import { fewestMoves } from "../support/fewest-moves.ts";
import { FAMILIES, familyProblem, widerProblem } from "../support/small-families.ts";
import solved from "./small-fleets.json" with { type: "json" };

/** Tests that run beside this one may have most of the machine. */
const PATIENCE_MS = 600_000;

const CORPUS = FAMILIES.flatMap((family) =>
  solved[family].map((fewest, seed) => ({ name: `${family} ${seed}`, fewest, ...widerProblem(family, seed) })),
);

test("the answers that are kept are of these fleets, and both ways of looking at every state agree", () => {
  const sizes = CORPUS.map(({ problem: { vms, nodes } }) => [vms.length, nodes.length] as const);
  expect(Math.max(...sizes.map(([vms]) => vms))).toBe(10);
  expect(Math.max(...sizes.map(([, nodes]) => nodes))).toBe(6);
  for (const family of FAMILIES) {
    for (let seed = 0; seed < 3; seed++) {
      const { problem, homes } = familyProblem(family, seed);
      const { fewest } = fewestMoves(problem, homes, { mostStates: 30_000 });
      if (fewest !== null) expect([family, seed, fewest]).toEqual([family, seed, fewestActs(problem, homes)]);
    }
    const { problem, homes } = widerProblem(family, 0);
    expect(fewestMoves(problem, homes).fewest).toBe(solved[family][0]);
  }
});

test("whatever can be solved is, with at most one move more than the fewest; whatever cannot says why", {
  timeout: PATIENCE_MS,
}, () => {
  const seen = { solved: 0, fewest: 0, mostExtra: 0, stuck: 0, proven: 0 };
  for (const { name, fewest, problem, homes } of CORPUS) {
    const found = sequence(problem, homes);
    if (fewest === "never") {
      expect([name, found.stuck.length > 0]).toEqual([name, true]);
      seen.stuck++;
      seen.proven += Number(found.stuck[0]?.isProven);
      continue;
    }
    expect([name, found.stuck]).toEqual([name, []]);
    expect([name, found.moves.length <= (fewest as number) + 1]).toEqual([name, true]);
    expect([...faultsOfOrder(problem, homes, found, () => 0, "eager"), ...faultsOfTimes(problem, found)]).toEqual([]);
    seen.solved++;
    seen.fewest += Number(found.moves.length === fewest);
    const asked = problem.vms.filter(({ home }, vm) => homes[vm] !== home).length;
    seen.mostExtra = Math.max(seen.mostExtra, (fewest as number) - asked);
  }
  // The corpus is worth something: much of it needs parking, and some has no solution.
  expect(seen.solved).toBeGreaterThan(150);
  expect(seen.stuck).toBeGreaterThan(10);
  expect(seen.mostExtra).toBeGreaterThanOrEqual(3);
  expect(seen.fewest).toBeGreaterThan(seen.solved * 0.9);
});

test("who is said to be in the way of one another cannot be had together, and every one fewer can", {
  timeout: PATIENCE_MS,
}, () => {
  let checked = 0;
  for (const { name, fewest, problem, homes } of CORPUS) {
    const [stuck] = fewest === "never" ? sequence(problem, homes).stuck : [];
    if (!stuck?.isProven) continue;
    const wishes = problem.vms.flatMap(({ home }, vm) => (homes[vm] === home ? [] : [vm]));
    const without = (asked: readonly number[]) =>
      fewestMoves(problem, homes, {
        spared: new Set(wishes.filter((vm) => !asked.includes(vm))),
        mostStates: 300_000,
      }).fewest;
    const all = without(stuck.vms);
    if (all === null) continue;
    expect([name, all]).toEqual([name, "never"]);
    for (const vm of stuck.vms)
      expect([name, without(stuck.vms.filter((each) => each !== vm))]).not.toEqual([name, "never"]);
    checked++;
  }
  expect(checked).toBeGreaterThan(5);
});
