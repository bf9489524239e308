import { Args, Flags } from "@oclif/core";
import type { Simulation } from "../report/what-if/simulation-document.ts";
import { renderSimulation } from "../report/what-if/simulation-text.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { agentFlags, fleetFlags, guardFlags, selectionFlags, toPlanRequest } from "./cli/flags.ts";
import { fromFlag } from "./cli/from-flag.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";

export default class Simulate extends OdoroboCommand {
  static override summary = "carry a plan out on agents in memory, with failures, and say what would become of it";
  static override description =
    "The apply is the real one, the agents and the clock are not: nothing real is touched, and nothing is waited for. The same plan, world and seed, the same result. Exits 0 when every promise held, also where failures left something undone; 3 when one was broken.";
  static override args = {
    plan: Args.string({ description: "a plan that `plan --out` saved (default: the plan of this moment)" }),
  };
  static override flags = {
    ...fleetFlags,
    ...fromFlag,
    ...selectionFlags,
    ...guardFlags,
    fail: Flags.integer({
      summary: "how many failures to inject: agents that die, links that are cut, steps that are refused",
      helpValue: "N",
      default: 0,
      min: 0,
      max: 1000,
    }),
    seed: Flags.integer({
      summary: "which failures: the same for the same number",
      helpValue: "S",
      default: 1,
      min: 0,
    }),
    ...agentFlags,
  };
  static override examples = [
    "<%= config.bin %> simulate plan.json --fail 3 --seed 7",
    "<%= config.bin %> simulate --from fleet.json",
  ];

  override async run(): Promise<Simulation> {
    const { args, flags } = await this.parse(Simulate);
    using interrupts = listenForInterrupts();
    const { planToSimulate } = await import("../turn/what-if/plan-to-simulate.ts");
    const { simulate } = await import("../simulate/simulate.ts");
    const request = { ...toPlanRequest(flags, undefined), path: args.plan ?? null, from: flags.from ?? null };
    const planned = await planToSimulate(request, interrupts.first);
    const simulation = await simulate({ ...planned, failures: flags.fail, seed: flags.seed });
    this.screen.print(renderSimulation(simulation, this.screen));
    if (simulation.violations.length > 0) process.exitCode = 3;
    return simulation;
  }
}
