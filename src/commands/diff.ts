import { Flags } from "@oclif/core";
import type { Plan } from "../plan/plan-document.ts";
import { renderDiff } from "../report/plan/plan-text.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { planExitCode } from "./cli/exit-code.ts";
import { agentFlags, fleetFlags, folderArg, selectionFlags, toPlanRequest } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { noteWarnings } from "./cli/screen/note-warnings.ts";

export default class Diff extends OdoroboCommand {
  static override summary = "show what differs from the manifests and why, without an order";
  static override args = folderArg;
  static override flags = {
    ...fleetFlags,
    ...selectionFlags,
    ...agentFlags,
    "detailed-exitcode": Flags.boolean({ summary: "exit with 2 when something differs" }),
    verbose: Flags.boolean({ char: "v", summary: "every VM of a group" }),
  };

  /** `--json` prints the whole plan: what differs is its `changes`. */
  override async run(): Promise<Plan> {
    const { args, flags } = await this.parse(Diff);
    using interrupts = listenForInterrupts();
    const { planFleet } = await import("../turn/plan-fleet.ts");
    await using planned = await planFleet(toPlanRequest(flags, args.folder), interrupts.first);
    noteWarnings(this.screen, planned.fleet);
    this.screen.print(renderDiff(planned.plan, { colour: this.screen.colour, verbose: flags.verbose }));
    process.exitCode = planExitCode(planned.plan, { detailed: flags["detailed-exitcode"] });
    return planned.plan;
  }
}
