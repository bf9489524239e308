import { Flags } from "@oclif/core";
import { OdoroboError } from "../model/errors.ts";
import type { Assumption } from "../plan/assume.ts";
import type { Plan } from "../plan/plan-document.ts";
import { renderPlan } from "../report/plan/plan-text.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { planExitCode } from "./cli/exit-code.ts";
import {
  type AgentFlags,
  agentFlags,
  type FleetFlags,
  fleetFlags,
  folderArg,
  type GuardFlags,
  guardFlags,
  type SelectionFlags,
  selectionFlags,
  toAllowances,
  toPlanRequest,
  toSelection,
} from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { nextApply } from "./cli/next-command.ts";
import { noteWarnings } from "./cli/screen/note-warnings.ts";
import { toAssumptions } from "./cli/to-assumptions.ts";

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
    from: Flags.string({
      summary: "plan from what `odorobo snapshot` printed; no agent is asked",
      helpValue: "FILE",
      helpGroup: "SOURCE",
      exclusive: ["fleet", "repo"],
    }),
    assume: Flags.string({
      summary: "what if this node were down (n3=down), or down and fenced (n3=fenced); may be repeated",
      helpValue: "NODE=STATE",
      multiple: true,
      multipleNonGreedy: true,
    }),
    out: Flags.string({ char: "o", summary: "also save the plan, for: odorobo apply FILE", helpValue: "FILE" }),
    format: Flags.string({
      summary: "how to print it; svg: when its moves run, as a picture",
      options: ["text", "markdown", "svg", "json"],
      default: "text",
    }),
    "detailed-exitcode": Flags.boolean({ summary: "exit with 2 when there are changes" }),
    verbose: Flags.boolean({ char: "v", summary: "every VM of a group and every step" }),
  };
  static override examples = [
    "<%= config.bin %> plan ./fleet",
    "<%= config.bin %> plan --repo https://git.example/fleet.git --ref main --out plan.json",
    "<%= config.bin %> plan --format markdown > comment.md",
    "<%= config.bin %> plan --assume n3=down",
  ];

  override async run(): Promise<Plan> {
    const { args, flags } = await this.parse(PlanCommand);
    using interrupts = listenForInterrupts();
    const assumptions = toAssumptions(flags.assume ?? []);
    if (assumptions.length > 0 && flags.out !== undefined)
      throw new OdoroboError(
        "USAGE",
        "a plan with --assume is not carried out, and not saved for that: leave out --out",
      );
    const { plan, warn } = await this.#plan(flags, args.folder, assumptions, interrupts.first);
    if (flags.out !== undefined) {
      const { writePlanFile } = await import("../apply/plan-file.ts");
      await writePlanFile(flags.out, plan);
    }
    warn();
    if (flags.format === "markdown") {
      const { renderPlanMarkdown } = await import("../report/plan/plan-markdown.ts");
      this.screen.print(renderPlanMarkdown(plan).trimEnd());
    } else if (flags.format === "svg") {
      const { renderGanttSvg } = await import("../report/plan/gantt-svg.ts");
      const { barsOf } = await import("../report/plan/times-text.ts");
      this.screen.print(renderGanttSvg(barsOf(plan)));
    } else {
      const isForNow = assumptions.length === 0 && (flags.from === undefined || flags.out !== undefined);
      const next = isForNow ? nextApply(this.argv, flags, args.folder) : null;
      this.screen.print(renderPlan(plan, { colour: this.screen.colour, verbose: flags.verbose, next }));
    }
    process.exitCode = planExitCode(plan, { detailed: flags["detailed-exitcode"] });
    return plan;
  }

  async #plan(
    flags: FleetFlags & AgentFlags & SelectionFlags & GuardFlags & { readonly from?: string | undefined },
    folder: string | undefined,
    assumptions: readonly Assumption[],
    signal: AbortSignal,
  ): Promise<{ readonly plan: Plan; readonly warn: () => void }> {
    if (flags.from === undefined) {
      const { planFleet } = await import("../turn/plan-fleet.ts");
      await using planned = await planFleet({ ...toPlanRequest(flags, folder), assumptions }, signal);
      const { plan, fleet } = planned;
      return { plan, warn: () => noteWarnings(this.screen, fleet) };
    }
    if (folder !== undefined)
      throw new OdoroboError("USAGE", "a folder and --from were both given", {
        hint: "a snapshot has the manifests in it",
      });
    const { planFromSnapshot, readSnapshot } = await import("../turn/what-if/snapshots.ts");
    const choice = { selection: toSelection(flags), allowances: toAllowances(flags), assumptions };
    return { plan: planFromSnapshot(await readSnapshot(flags.from), choice), warn: () => {} };
  }

  override jsonEnabled(): boolean {
    return super.jsonEnabled() || this.argv.join(" ").match(/(^| )--format[= ]json( |$)/) !== null;
  }
}
