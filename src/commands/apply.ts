import { Args, Flags } from "@oclif/core";
import type { ApplyReport } from "../apply/apply-report.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import {
  agentFlags,
  confirmFlags,
  fleetFlags,
  guardFlags,
  parallelismFlag,
  selectionFlags,
  stateFlag,
  toPlanRequest,
} from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { refuseShapingFlags, toApplySource } from "./cli/runs/apply-source.ts";
import { carryOut } from "./cli/runs/carry-out.ts";

export default class Apply extends OdoroboCommand {
  static override summary = "make the fleet what the manifests say";
  static override description =
    "Plans, shows the plan, asks and carries it out. With a plan file it applies that and nothing else, and refuses (5) when a VM in it has moved on. " +
    "Ctrl-C finishes what is in flight, starts nothing new (130) and leaves the run paused: `runs resume`. Should the command be lost: `runs attach`.";
  static override args = {
    source: Args.string({ description: "a plan that `plan --out` saved, or a folder with manifests" }),
  };
  static override flags = {
    ...fleetFlags,
    ...selectionFlags,
    ...guardFlags,
    ...confirmFlags,
    ...parallelismFlag,
    ...stateFlag,
    ...agentFlags,
    verbose: Flags.boolean({ char: "v", summary: "show every VM of a group and every step" }),
  };
  static override examples = [
    "<%= config.bin %> apply ./fleet",
    "<%= config.bin %> apply plan.json --yes",
    "<%= config.bin %> apply --target 'web-*' --max-class live",
  ];

  override async run(): Promise<ApplyReport> {
    const { args, flags } = await this.parse(Apply);
    using interrupts = listenForInterrupts();
    const source = await toApplySource(args.source);
    if (source.kind === "plan") refuseShapingFlags(flags);
    const request = toPlanRequest(flags, source.kind === "folder" ? source.path : undefined);
    const { planFleet } = await import("../turn/plan-fleet.ts");
    const { openSavedPlan } = await import("../turn/saved-plan.ts");
    await using planned =
      source.kind === "plan"
        ? await openSavedPlan({ ...request, path: source.path }, interrupts.first)
        : await planFleet(request, interrupts.first);
    return await carryOut(this.screen, planned, {
      yes: flags.yes,
      verbose: flags.verbose,
      parallelism: flags.parallelism ?? null,
      interrupts,
      place: { state: flags.state, location: request.location, access: request.access },
      question: (steps) => ({ text: `Apply ${steps}? Only "yes" is accepted:`, answer: "yes", what: `apply ${steps}` }),
    });
  }
}
