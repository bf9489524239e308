/** From a fleet in a file to a plan in a file, as one process: where everybody is to live, then in which order and when. */
import { readFileSync, writeFileSync } from "node:fs";
import module from "node:module";
import { tell } from "../tell.ts";

module.enableCompileCache();
const [fleetFile = "", planFile = ""] = process.argv.slice(2);
const { assign } = await import("../../src/placement/engine/assign.ts");
const { sequence } = await import("../../src/schedule/sequence.ts");
const { USUAL_COSTS } = await import("../../src/schedule/move-duration.ts");
const { toProblem } = await import("../fleets/fleet.ts");
const { inWaves } = await import("../waves.ts");

const problem = toProblem(JSON.parse(readFileSync(fleetFile, "utf8")));
const { homes, conflicts } = assign(problem);
const { moves, makespanS, busiestLink, stuck } = sequence(problem, homes);
/** Seconds of the busiest link when each move keeps it for all of its time. */
function busiestWithCosts(): number {
  const loads = new Map<string, number>();
  for (const { from, to, moveMiB } of moves) {
    const add = (link: string, rate = 1) =>
      loads.set(link, (loads.get(link) ?? 0) + moveMiB / rate + USUAL_COSTS.liveS);
    add(`from ${from}`, problem.nodes[from]?.upMiBps);
    add(`to ${to}`, problem.nodes[to]?.downMiBps);
  }
  return Math.max(0, ...loads.values());
}

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
    costlyBoundS: busiestWithCosts(),
    wavesS: inWaves(problem, moves, 4),
    senders: new Set(moves.map(({ from }) => from)).size,
    open: conflicts.length + stuck.length,
  },
});
