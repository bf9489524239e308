/** Thousands of fleets by chance: what a sequence promises holds in every order that it allows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { sequence } from "../../src/schedule/sequence.ts";
import { anyMoveProblem } from "../support/any-move-problem.ts";
import { Chance } from "../support/chance.ts";
import { faultsOfOrder, faultsOfTimes } from "../support/check-sequence.ts";

test("room, rules and groups hold at every instant of every order that is allowed, and all ends well", () => {
  let [parked, stopped, stuck] = [0, 0, 0];
  fc.assert(
    fc.property(anyMoveProblem(), fc.integer(), ({ problem, homes }, seed) => {
      const found = sequence(problem, homes);
      const chance = new Chance(seed);
      for (const haste of ["eager", "lazy", "any", "any"] as const)
        expect(faultsOfOrder(problem, homes, found, () => chance.fraction(), haste)).toEqual([]);
      parked += found.moves.filter((move) => move.parked).length;
      stopped += found.inPlace.filter(({ kind }) => kind === "stop").length;
      stuck += found.stuck.length;
    }),
    { numRuns: 600 },
  );
  // The fleets are worth something only when they need all of it.
  expect(Math.min(parked, stopped, stuck)).toBeGreaterThan(20);
});

test("the predicted times keep to what has to wait, and to the links", () => {
  fc.assert(
    fc.property(anyMoveProblem(), ({ problem, homes }) => {
      expect(faultsOfTimes(problem, sequence(problem, homes))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("the same fleet gives the same bytes", () => {
  fc.assert(
    fc.property(anyMoveProblem(), ({ problem, homes }) => {
      expect(JSON.stringify(sequence(structuredClone(problem), [...homes]))).toBe(
        JSON.stringify(sequence(problem, homes)),
      );
    }),
    { numRuns: 100 },
  );
});
