/** A short story of loops under faults; `npm run faults -- --gateway` tells long ones. */
import { expect, test } from "vitest";
import { runLoops } from "../../faults/loops/run-loops.ts";

const SEED = 102;
const COUNT = 10;

test(`${COUNT} faults against two loops on one fleet (seed ${SEED}) break no promise`, {
  timeout: 300_000,
}, async () => {
  const { byKind, violations } = await runLoops(SEED, COUNT, new AbortController().signal);
  expect(violations).toEqual([]);
  expect([...byKind.values()].reduce((sum, each) => sum + each, 0)).toBe(COUNT);
});
