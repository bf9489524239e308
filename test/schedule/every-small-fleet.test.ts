/**
 * Small fleets (swaps, circles, drains, repairs of anti-affinity) against an exhaustive search: what can be solved is solved, with at
 * most one act more than the fewest; what cannot is explained by a set that is really minimal.
 */
import { expect, test } from "vitest";
import { sequence } from "../../src/schedule/sequence.ts";
import { moveProblem } from "../support/any-move-problem.ts";
import { fewestActs } from "../support/every-order.ts";
import { FAMILIES, familyProblem } from "../support/small-families.ts";

const CORPUS = [
  ...FAMILIES.flatMap((family) => Array.from({ length: 24 }, (_, seed) => familyProblem(family, seed))),
  ...Array.from({ length: 120 }, (_, seed) => moveProblem(seed, { mostNodes: 5, mostVms: 8, onlyMoves: true })),
];
/** Tests that run beside this one may have most of the machine. */
const PATIENCE_MS = 600_000;
const MOST_STATES = 10_000;

test("whatever can be solved is, with at most one act more than the fewest; whatever cannot says why", {
  timeout: PATIENCE_MS,
}, () => {
  const seen = { solved: 0, withExtra: 0, mostExtra: 0, stuck: 0, unknown: 0, notFewest: 0 };
  for (const { problem, homes } of CORPUS) {
    const fewest = fewestActs(problem, homes, { mostStates: MOST_STATES });
    const found = sequence(problem, homes);
    const acts = found.moves.length + found.inPlace.filter(({ kind }) => kind === "stop").length;
    const asked = problem.vms.filter(({ home }, vm) => home >= 0 && homes[vm] !== home).length;
    if (fewest === null) seen.unknown++;
    else if (fewest === "never") {
      seen.stuck++;
      expect(found.stuck.length).toBeGreaterThan(0);
    } else {
      expect(found.stuck).toEqual([]);
      expect(acts).toBeLessThanOrEqual(fewest + 1);
      seen.solved++;
      if (acts > fewest) seen.notFewest++;
      if (fewest > asked) seen.withExtra++;
      seen.mostExtra = Math.max(seen.mostExtra, fewest - asked);
    }
  }
  // The corpus is worth something: it needs parking, some of it a lot, some of it has no solution, and little is left open.
  expect(seen.withExtra).toBeGreaterThan(30);
  expect(seen.mostExtra).toBeGreaterThanOrEqual(4);
  expect(seen.stuck).toBeGreaterThan(20);
  expect(seen.unknown).toBeLessThan(CORPUS.length / 5);
  expect(seen.notFewest).toBeLessThan(seen.solved / 20);
});

test("an explanation names a set that cannot be had together, and every smaller one can; what is said to help does", {
  timeout: PATIENCE_MS,
}, () => {
  let [checked, helped] = [0, 0];
  for (const { problem, homes } of CORPUS) {
    const [first] = sequence(problem, homes).stuck;
    if (!first?.isProven || first.waits.some(({ vm }) => problem.vms[vm]!.home < 0)) continue;
    const wishes = problem.vms.flatMap(({ home }, vm) => (home >= 0 && homes[vm] !== home ? [vm] : []));
    const without = (asked: readonly number[]) =>
      fewestActs(problem, homes, {
        spared: new Set(wishes.filter((vm) => !asked.includes(vm))),
        mostStates: MOST_STATES,
      });
    const all = without(first.vms);
    if (all === null) continue;
    expect(all).toBe("never");
    for (const vm of first.vms) expect(without(first.vms.filter((each) => each !== vm))).not.toBe("never");
    checked++;
    for (const { node, resource, amount } of first.wouldHelp) {
      const { room, ...rest } = problem.nodes[node]!;
      const roomier = { ...rest, room: room.with(resource, room[resource]! + amount) };
      const spared = new Set(wishes.filter((vm) => !first.vms.includes(vm)));
      const helpedOut = { ...problem, nodes: problem.nodes.with(node, roomier) };
      expect(fewestActs(helpedOut, homes, { spared, mostStates: MOST_STATES })).not.toBe("never");
      helped++;
    }
  }
  expect(Math.min(checked, helped)).toBeGreaterThan(20);
});
