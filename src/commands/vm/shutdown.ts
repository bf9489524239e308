import { renderVmAction } from "../../report/vm-action-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, graceFlag, nodesFlags, toGraceSeconds, vmArgs } from "../cli/vm-action.ts";

export default class VmShutdown extends OdoroboCommand {
  static override summary = "press the power button, and after the grace cut the guest off";
  static override args = vmArgs;
  static override flags = { ...graceFlag, ...nodesFlags };
  static override examples = ["<%= config.bin %> vm shutdown web-1 --agent http://127.0.0.1:8890"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmShutdown);
    using interrupts = listenForInterrupts();
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "shutdown", graceSeconds: toGraceSeconds(flags.grace) },
      doing: "shutting down",
      signal: interrupts.first,
    });
    this.screen.print(renderVmAction(action, { colour: this.screen.colour }));
    return action.result;
  }
}
