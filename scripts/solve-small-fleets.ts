/**
 * Solves the corpus of small fleets (6 nodes, 10 VMs at most) by looking at every state, and keeps the answers: that takes minutes, and the
 * tests only seconds. `node scripts/solve-small-fleets.ts` after a change of `test/support/small-families.ts`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fewestMoves } from "../test/support/fewest-moves.ts";
import { FAMILIES, widerProblem } from "../test/support/small-families.ts";

const SEEDS = 40;
/** All that a fleet of 6 nodes and 10 VMs can be in, and more. */
const MOST_STATES = 6 ** 10;

const solved: Record<string, (number | "never" | null)[]> = {};
for (const family of FAMILIES) {
  solved[family] = Array.from({ length: SEEDS }, (_, seed) => {
    const { problem, homes } = widerProblem(family, seed);
    return fewestMoves(problem, homes, { mostStates: MOST_STATES }).fewest;
  });
  process.stdout.write(`${family} ${JSON.stringify(solved[family])}\n`);
}
const file = join(import.meta.dirname, "../test/schedule/small-fleets.json");
writeFileSync(file, `${JSON.stringify(solved, null, 2).replaceAll(/\n {4}/g, " ")}\n`);
