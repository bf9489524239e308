import { vmName } from "../../model/names.ts";
import { askPurge, renderPurge } from "../../report/deletion-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { confirmFlags } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { confirm } from "../cli/screen/confirm.ts";
import { nodesFlags, operate, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmPurge extends OdoroboCommand {
  static override summary = "remove the kept disks of a deleted VM, for good";
  static override description =
    "What vm list --deleted shows can be purged. Asks for the VM's name first, unless --yes. Nothing brings the disks back.";
  static override args = vmArgs;
  static override flags = { ...confirmFlags, ...nodesFlags };
  static override examples = ["<%= config.bin %> vm purge web-1", "<%= config.bin %> vm purge web-1 --node n1 --yes"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmPurge);
    using interrupts = listenForInterrupts();
    const signal = interrupts.first;
    const name = vmName(args.vm);
    await using reached = await reach(flags, signal);
    const { findDeletedVm } = await import("../../turn/find-vm.ts");
    const found = findDeletedVm(name, reached.observed);
    const question = { text: askPurge(found), answer: name, what: `purge ${name}` };
    const hint = "look at it with odorobo vm list --deleted, then give --yes";
    await confirm({ ...question, hint }, { yes: flags.yes, signal });
    const result = await operate(reached, found.node, name, { operation: { kind: "purge" }, doing: "purging", signal });
    this.screen.print(renderPurge(found, { colour: this.screen.colour }));
    return result;
  }
}
