import { Flags } from "@oclif/core";
import type { Plan } from "../plan/plan-document.ts";
import { systemClock } from "../platform/clock.ts";
import { renderPlan } from "../report/plan/plan-text.ts";
import { renderRebalance } from "../report/what-if/rebalance-text.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { planExitCode } from "./cli/exit-code.ts";
import { agentFlags, fleetFlags, folderArg, guardFlags, toAccess, toAllowances, toLocation } from "./cli/flags.ts";
import { fromFlag } from "./cli/from-flag.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { nextApply } from "./cli/next-command.ts";
import { parseMilliseconds } from "./cli/parse-quantity.ts";

export default class RebalanceCommand extends OdoroboCommand {
  static override summary = "propose moves from fuller nodes to emptier ones, as a plan to be saved and applied";
  static override description =
    "Never done unless asked for. Only running guests that are as their manifests say and can be moved live are moved, and only where a move is worth it. Exits as plan does.";
  static override args = folderArg;
  static override flags = {
    ...fleetFlags,
    ...fromFlag,
    ...guardFlags,
    ...agentFlags,
    "min-gain": Flags.integer({
      summary: "a move must make the fuller of both nodes less full by so many hundredths of it",
      helpValue: "PERCENT",
      default: 5,
      min: 1,
      max: 100,
    }),
    hold: Flags.string({
      summary: "who was moved or booted less long ago stays",
      helpValue: "1h",
      default: "1h",
    }),
    out: Flags.string({ char: "o", summary: "also save the plan, for: odorobo apply FILE", helpValue: "FILE" }),
    "detailed-exitcode": Flags.boolean({ summary: "exit with 2 when there is something to move" }),
    verbose: Flags.boolean({ char: "v", summary: "every VM of a group and every step" }),
  };
  static override examples = [
    "<%= config.bin %> rebalance --out moves.json && <%= config.bin %> apply moves.json",
    "<%= config.bin %> rebalance --min-gain 10 --hold 24h",
  ];

  override async run(): Promise<Plan> {
    const { args, flags } = await this.parse(RebalanceCommand);
    using interrupts = listenForInterrupts();
    const { rebalanceFleet } = await import("../turn/what-if/rebalance-fleet.ts");
    const minGain = flags["min-gain"] / 100;
    const request = {
      ...{ from: flags.from ?? null, location: toLocation(flags, args.folder), access: toAccess(flags) },
      ...{ clock: systemClock, allowances: toAllowances(flags), minGain },
      holdSeconds: parseMilliseconds(flags.hold, "--hold") / 1000,
    };
    const balanced = await rebalanceFleet(request, interrupts.first);
    const { plan } = balanced;
    if (flags.out !== undefined) {
      const { writePlanFile } = await import("../apply/plan-file.ts");
      await writePlanFile(flags.out, plan);
    }
    this.screen.print(renderRebalance(balanced, { ...this.screen, minGain }));
    const next = flags.out === undefined ? null : nextApply(this.argv, flags, args.folder);
    if (plan.changes.length > 0 || plan.refusals.length > 0)
      this.screen.print(`\n${renderPlan(plan, { colour: this.screen.colour, verbose: flags.verbose, next })}`);
    process.exitCode = planExitCode(plan, { detailed: flags["detailed-exitcode"] });
    return plan;
  }
}
