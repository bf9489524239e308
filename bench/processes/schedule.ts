/** From a fleet in a file to a plan in a file, as one process: where everybody is to live, then in which order and when. */
import { readFileSync, writeFileSync } from "node:fs";
import module from "node:module";
import { tell } from "../tell.ts";

module.enableCompileCache();
const [fleetFile = "", planFile = ""] = process.argv.slice(2);
const { assign } = await import("../../src/placement/assign.ts");
const { sequence } = await import("../../src/schedule/sequence.ts");
const { toProblem } = await import("../fleets/fleet.ts");
const { inWaves } = await import("../waves.ts");

const problem = toProblem(JSON.parse(readFileSync(fleetFile, "utf8")));
const { homes, conflicts } = assign(problem);
const { moves, makespanS, busiestLink, stuck } = sequence(problem, homes);
writeFileSync(
  planFile,
  JSON.stringify({
    moves: moves.map(({ vm, from, to, startS, endS }) => ({
      vm: problem.vms[vm]?.name,
      from: problem.nodes[from]?.name,
      to: problem.nodes[to]?.name,
      start: startS,
      end: endS,
    })),
  }),
);
tell(`${moves.length} moves`, {
  values: {
    moves: moves.length,
    parked: moves.filter(({ parked }) => parked).length,
    mib: moves.reduce((sum, { moveMiB }) => sum + moveMiB, 0),
    makespanS,
    boundS: busiestLink?.seconds ?? 0,
    wavesS: inWaves(problem, moves, 4),
    senders: new Set(moves.map(({ from }) => from)).size,
    open: conflicts.length + stuck.length,
  },
});
