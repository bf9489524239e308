import { renderVmAction } from "../../report/vm-action-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmBoot extends OdoroboCommand {
  static override summary = "start a VM with the spec it was last given";
  static override args = vmArgs;
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> vm boot web-1 --agent http://127.0.0.1:8890"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmBoot);
    using interrupts = listenForInterrupts();
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "boot" },
      doing: "booting",
      signal: interrupts.first,
    });
    this.screen.print(renderVmAction(action, { colour: this.screen.colour }));
    return action.result;
  }
}
