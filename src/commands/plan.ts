import { Flags } from "@oclif/core";
import type { Plan } from "../plan/plan-document.ts";
import { renderPlan } from "../report/plan/plan-text.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { planExitCode } from "./cli/exit-code.ts";
import { agentFlags, fleetFlags, folderArg, guardFlags, selectionFlags, toPlanRequest } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { nextApply } from "./cli/next-command.ts";
import { noteWarnings } from "./cli/note-warnings.ts";

export default class PlanCommand extends OdoroboCommand {
  static override summary = "show what apply would do, in which order and why";
  static override description =
    "Exits 0; with --detailed-exitcode 2 when there are changes. 3: refused or blocked. 4: some nodes did not answer, the rest is planned.";
  static override args = folderArg;
  static override flags = {
    ...fleetFlags,
    ...selectionFlags,
    ...guardFlags,
    ...agentFlags,
    out: Flags.string({ char: "o", summary: "also save the plan, for: odorobo apply FILE", helpValue: "FILE" }),
    format: Flags.string({ summary: "how to print it", options: ["text", "markdown", "json"], default: "text" }),
    "detailed-exitcode": Flags.boolean({ summary: "exit with 2 when there are changes" }),
    verbose: Flags.boolean({ char: "v", summary: "every VM of a group and every step" }),
  };
  static override examples = [
    "<%= config.bin %> plan ./fleet",
    "<%= config.bin %> plan --repo https://git.example/fleet.git --ref main --out plan.json",
    "<%= config.bin %> plan --format markdown > comment.md",
  ];

  override async run(): Promise<Plan> {
    const { args, flags } = await this.parse(PlanCommand);
    using interrupts = listenForInterrupts();
    const { planFleet } = await import("../turn/plan-fleet.ts");
    await using planned = await planFleet(toPlanRequest(flags, args.folder), interrupts.first);
    const { plan, fleet } = planned;
    if (flags.out !== undefined) {
      const { writePlanFile } = await import("../apply/plan-file.ts");
      await writePlanFile(flags.out, plan);
    }
    noteWarnings(this.screen, fleet);
    if (flags.format === "markdown") {
      const { renderPlanMarkdown } = await import("../report/plan/plan-markdown.ts");
      this.screen.print(renderPlanMarkdown(plan).trimEnd());
    } else {
      const next = nextApply(this.argv, flags, args.folder);
      this.screen.print(renderPlan(plan, { colour: this.screen.colour, verbose: flags.verbose, next }));
    }
    process.exitCode = planExitCode(plan, { detailed: flags["detailed-exitcode"] });
    return plan;
  }

  override jsonEnabled(): boolean {
    return super.jsonEnabled() || this.argv.join(" ").match(/(^| )--format[= ]json( |$)/) !== null;
  }
}
