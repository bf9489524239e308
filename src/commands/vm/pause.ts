import { renderVmAction } from "../../report/vm-action-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmPause extends OdoroboCommand {
  static override summary = "make a running guest stand still";
  static override args = vmArgs;
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> vm pause web-1 --agent http://127.0.0.1:8890"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmPause);
    using interrupts = listenForInterrupts();
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "pause" },
      doing: "pausing",
      signal: interrupts.first,
    });
    this.screen.print(renderVmAction(action, { colour: this.screen.colour }));
    return action.result;
  }
}
