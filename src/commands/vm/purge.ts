import { type NodeName, vmName } from "../../model/names.ts";
import { askPurge, renderPurge } from "../../report/deletion-text.ts";
import type { OperationArgs, OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { confirmFlags } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { confirm } from "../cli/screen/confirm.ts";
import { nodesFlags, operate, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmPurge extends OdoroboCommand {
  static override summary =
    "remove the kept disks of a deleted VM, and what one left where it moved away from, for good";
  static override description =
    "What vm list --deleted shows can be purged, and with it, or while the VM lives elsewhere, the old disks on nodes that it has moved away from. Asks for the VM's name first, unless --yes. Nothing brings the disks back.";
  static override args = vmArgs;
  static override flags = { ...confirmFlags, ...nodesFlags };
  static override examples = ["<%= config.bin %> vm purge web-1", "<%= config.bin %> vm purge web-1 --node n1 --yes"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmPurge);
    using interrupts = listenForInterrupts();
    const signal = interrupts.first;
    const name = vmName(args.vm);
    await using reached = await reach(flags, signal);
    const { findRemains } = await import("../../turn/find-remains.ts");
    const found = findRemains(name, reached.observed);
    const question = { text: askPurge(name, found), answer: name, what: `purge ${name}` };
    const hint = "look at it with odorobo vm list --deleted, then give --yes";
    await confirm({ ...question, hint }, { yes: flags.yes, signal });
    const results: OperationResult[] = [];
    const ask = async (node: NodeName, operation: OperationArgs, doing: string) =>
      results.push(await operate(reached, node, name, { operation, doing, signal }));
    if (found.deleted !== null) await ask(found.deleted.node, { kind: "purge" }, "purging");
    for (const { node } of found.left) {
      await ask(node, { kind: "delete", graceSeconds: 0 }, "deleting what is left of");
      await ask(node, { kind: "purge" }, "purging");
    }
    this.screen.print(renderPurge(name, found, { colour: this.screen.colour }));
    const result = results.find(({ kind }) => kind === "purge") as OperationResult;
    return result;
  }
}
