import { vmName } from "../../model/names.ts";
import { safeLine } from "../../report/safe-text.ts";
import { attachConsole } from "../cli/attach-console.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { stdoutClosed } from "../cli/terminal.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmConsole extends OdoroboCommand {
  static override summary = "connect this terminal to a guest's serial line";
  static override description =
    "Ctrl-] leaves it; the guest goes on. In a pipe it lasts until the guest is off, nobody reads its output, or Ctrl-C.";
  static override enableJsonFlag = false;
  static override args = vmArgs;
  static override flags = nodesFlags;

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(VmConsole);
    using interrupts = listenForInterrupts();
    const signal = AbortSignal.any([interrupts.first, stdoutClosed]);
    await using reached = await reach(flags, signal);
    const { findVm } = await import("../../turn/find-vm.ts");
    const { node, vm } = findVm(vmName(args.vm), reached.observed);
    await using connection = await reached.agents.of(node).openConsole(vm.name, signal);
    if (process.stdin.isTTY) this.screen.note(`Connected to ${safeLine(vm.name)} on ${safeLine(node)}. Ctrl-] leaves.`);
    const end = await attachConsole(connection, process.stdin);
    if (end !== "left") this.screen.note(`\n${end}`);
  }
}
