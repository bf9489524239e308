import { Args } from "@oclif/core";
import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodePath } from "../cli/node-path.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmSnapshot extends OdoroboCommand {
  static override summary = "write a guest's state to a folder on its node";
  static override description =
    "The guest stands still meanwhile. Its disks are not copied: copy them while it is paused, or the snapshot and the disks are of two moments. The folder must be empty or not there yet, below one that the agent was given with --allow-path.";
  static override args = { ...vmArgs, folder: Args.string({ description: "path on the node", required: true }) };
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> vm snapshot web-1 /srv/snapshots/web-1"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmSnapshot);
    using interrupts = listenForInterrupts();
    const folder = nodePath(args.folder);
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "snapshot", folder },
      doing: "taking a snapshot of",
      signal: interrupts.first,
    });
    this.screen.print(
      renderHandAct(action, `its state is in ${folder} on the node; its disks are not in it`, {
        colour: this.screen.colour,
      }),
    );
    return action.result;
  }
}
