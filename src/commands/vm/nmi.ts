import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmNmi extends OdoroboCommand {
  static override summary =
    "send a non-maskable interrupt: a guest that hangs dumps or panics, as its kernel is set up";
  static override args = vmArgs;
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> vm nmi web-1"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmNmi);
    using interrupts = listenForInterrupts();
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "nmi" },
      doing: "interrupting",
      signal: interrupts.first,
    });
    this.screen.print(
      renderHandAct(action, "the guest was sent a non-maskable interrupt", { colour: this.screen.colour }),
    );
    return action.result;
  }
}
