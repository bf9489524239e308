import { Flags } from "@oclif/core";
import { systemClock } from "../platform/clock.ts";
import { renderSurvival } from "../report/what-if/survival-text.ts";
import type { Survival } from "../what-if/survive.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { agentFlags, fleetFlags, folderArg, selectionFlags, toAccess, toLocation, toSelection } from "./cli/flags.ts";
import { fromFlag } from "./cli/from-flag.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";

export default class Check extends OdoroboCommand {
  static override summary = "say which nodes could be lost, and who would find no home then";
  static override description =
    "Every case is placed as a plan would place it, were those nodes fenced. Exits 0. 3: somebody would find no home. 4: some nodes did not answer, and all that was looked at survives.";
  static override args = folderArg;
  static override flags = {
    ...fleetFlags,
    ...fromFlag,
    ...selectionFlags,
    survive: Flags.string({
      summary: "how many nodes are lost at once: each node, or each two",
      options: ["1", "2"],
      default: "1",
      helpValue: "N",
    }),
    ...agentFlags,
  };
  static override examples = [
    "<%= config.bin %> check --survive 1",
    "<%= config.bin %> check --survive 2 --exclude app=batch --from fleet.json",
  ];

  override async run(): Promise<Survival> {
    const { args, flags } = await this.parse(Check);
    using interrupts = listenForInterrupts();
    const { seeFleet } = await import("../turn/what-if/see-fleet.ts");
    const { checkSurvival } = await import("../what-if/survive.ts");
    const location = toLocation(flags, args.folder);
    const request = { from: flags.from ?? null, location, access: toAccess(flags), clock: systemClock };
    const seen = await seeFleet(request, interrupts.first);
    const survival = checkSurvival({
      ...seen,
      losses: flags.survive === "2" ? 2 : 1,
      selection: toSelection(flags),
    });
    this.screen.print(renderSurvival(survival, this.screen));
    if (!survival.survives) process.exitCode = 3;
    else if (survival.unseen.nodes.length > 0) process.exitCode = 4;
    return survival;
  }
}
