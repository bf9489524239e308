import { Flags } from "@oclif/core";
import type { ApplyReport } from "../apply/apply-report.ts";
import { plural } from "../report/words/names.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import {
  agentFlags,
  confirmFlags,
  fleetFlags,
  folderArg,
  guardFlags,
  parallelismFlag,
  selectionFlags,
  stateFlag,
  toPlanRequest,
} from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { carryOut } from "./cli/runs/carry-out.ts";
import { isInteractive } from "./cli/screen/terminal.ts";

export default class Destroy extends OdoroboCommand {
  static override summary = "stop and delete the fleet's VMs, or those given with --target";
  static override description =
    "Disks are kept until their retention ends; protected VMs stay. Asks for the fleet's name; with --yes, what is more than the fleet's guard allows needs --allow-destroy N, N being all of them.";
  static override args = folderArg;
  static override flags = {
    ...fleetFlags,
    ...selectionFlags,
    "allow-destroy": guardFlags["allow-destroy"],
    "outside-windows": guardFlags["outside-windows"],
    ...confirmFlags,
    ...parallelismFlag,
    ...stateFlag,
    ...agentFlags,
    verbose: Flags.boolean({ char: "v", summary: "show every VM of a group and every step" }),
  };
  static override examples = ["<%= config.bin %> destroy ./fleet", "<%= config.bin %> destroy --target 'test-*' --yes"];

  override async run(): Promise<ApplyReport> {
    const { args, flags } = await this.parse(Destroy);
    using interrupts = listenForInterrupts();
    const request = toPlanRequest(flags, args.folder);
    // Typing the fleet's name is the allowance of a person who has just read the list.
    const allowDestroy = !flags.yes && isInteractive() ? Number.MAX_SAFE_INTEGER : request.allowances.allowDestroy;
    const { planDestruction } = await import("../turn/plan-fleet.ts");
    await using planned = await planDestruction(
      { ...request, allowances: { ...request.allowances, maxClass: "destroy", allowDestroy } },
      interrupts.first,
    );
    const { fleet, changes } = planned.plan;
    const what = plural(changes.length, "VM");
    return await carryOut(this.screen, planned, {
      yes: flags.yes,
      verbose: flags.verbose,
      parallelism: flags.parallelism ?? null,
      interrupts,
      place: { state: flags.state, location: request.location, access: request.access },
      question: () => ({
        text: `This destroys ${what} of the fleet ${fleet}. Type the fleet's name to go on:`,
        answer: fleet,
        what: `destroy ${what} of ${fleet}`,
        hint: "look at the list and give --yes; fewer of them: --target",
      }),
    });
  }
}
