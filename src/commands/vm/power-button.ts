import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmPowerButton extends OdoroboCommand {
  static override summary = "press the ACPI power button, and do not wait for the guest";
  static override description = "vm shutdown waits for the guest and cuts it off after the grace; this does neither.";
  static override args = vmArgs;
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> vm power-button web-1"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmPowerButton);
    using interrupts = listenForInterrupts();
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "power-button" },
      doing: "pressing the power button of",
      signal: interrupts.first,
    });
    this.screen.print(
      renderHandAct(action, "the power button was pressed; what comes of it is the guest's own choice", {
        colour: this.screen.colour,
      }),
    );
    return action.result;
  }
}
