/** Two thousand fleets by chance, small and tight: what a sequence promises holds in every order that it allows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { sequence } from "../../src/schedule/sequence.ts";
import { anyMoveProblem } from "../support/any-move-problem.ts";
import { Chance } from "../support/chance.ts";
import { faultsOfOrder, faultsOfTimes } from "../support/check-sequence.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";

/** Tests that run beside this one may have most of the machine. */
const PATIENCE_MS = 600_000;

test("room, rules, groups, links and what has to wait are kept to in every order that is allowed, and all ends well", {
  timeout: PATIENCE_MS,
}, () => {
  const seen = { parked: 0, stopped: 0, stuck: 0, waiting: 0 };
  const check = (runs: number, mostNodes: number, mostVms: number) =>
    fc.assert(
      fc.property(anyMoveProblem({ mostNodes, mostVms }), fc.integer(), ({ problem, homes }, seed) => {
        const found = sequence(problem, homes);
        const chance = new Chance(seed);
        for (const haste of ["eager", "lazy", "any", "any"] as const)
          expect(faultsOfOrder(problem, homes, found, () => chance.fraction(), haste)).toEqual([]);
        expect(faultsOfTimes(problem, found)).toEqual([]);
        seen.parked += found.moves.filter((move) => move.parked).length;
        seen.stopped += found.inPlace.filter(({ kind }) => kind === "stop").length;
        seen.stuck += found.stuck.length;
        seen.waiting += found.moves.filter(({ after }) => after.length > 0).length;
      }),
      { numRuns: runs },
    );
  check(1_600, 5, 7);
  check(300, 6, 10);
  // Many more guests than can be looked through one by one: there is no exact search.
  check(100, 8, 40);
  // The fleets are worth something only when they need all of it.
  if (ENOUGH_DRAWS) expect(Math.min(seen.parked, seen.stopped, seen.stuck, seen.waiting)).toBeGreaterThan(100);
});

test("the same fleet gives the same bytes", { timeout: PATIENCE_MS }, () => {
  fc.assert(
    fc.property(anyMoveProblem({ mostNodes: 5, mostVms: 8 }), ({ problem, homes }) => {
      expect(JSON.stringify(sequence(structuredClone(problem), [...homes]))).toBe(
        JSON.stringify(sequence(problem, homes)),
      );
    }),
    { numRuns: 100 },
  );
});
