import { Args } from "@oclif/core";
import { vmName } from "../model/names.ts";
import { renderExplanation } from "../report/what-if/explanation-text.ts";
import type { Explanation } from "../what-if/explain-vm.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { agentFlags, fleetFlags, guardFlags, toAllowances, toPlanRequest } from "./cli/flags.ts";
import { fromFlag } from "./cli/from-flag.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";

export default class Explain extends OdoroboCommand {
  static override summary = "say why a VM is where it is, what the plan does to it and why nothing milder";
  static override description = "Exits 0. 3: it is blocked, or the plan is refused. 4: nobody can see where it is.";
  static override args = { vm: Args.string({ description: "name of the VM", required: true }) };
  static override flags = { ...fleetFlags, ...fromFlag, ...guardFlags, ...agentFlags };
  static override examples = ["<%= config.bin %> explain web-1", "<%= config.bin %> explain web-1 --from fleet.json"];

  override async run(): Promise<Explanation> {
    const { args, flags } = await this.parse(Explain);
    using interrupts = listenForInterrupts();
    const { explainFleetVm, explainSnapshotVm } = await import("../turn/what-if/explain.ts");
    const vm = vmName(args.vm);
    const explanation =
      flags.from === undefined
        ? await explainFleetVm(vm, toPlanRequest(flags, undefined), interrupts.first)
        : await explainSnapshotVm(vm, flags.from, { allowances: toAllowances(flags) });
    this.screen.print(renderExplanation(explanation, { ...this.screen, fromSnapshot: flags.from !== undefined }));
    if (explanation.blocked !== null || explanation.refusals.length > 0) process.exitCode = 3;
    else if (explanation.unknown !== null) process.exitCode = 4;
    return explanation;
  }
}
