import { Args } from "@oclif/core";
import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodePath } from "../cli/node-path.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmRestore extends OdoroboCommand {
  static override summary = "start a VM that is off from a snapshot, instead of booting it";
  static override description =
    "The disks must be as they were when the snapshot was taken: a guest that finds others destroys what is on them.";
  static override args = { ...vmArgs, folder: Args.string({ description: "path on the node", required: true }) };
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> vm restore web-1 /srv/snapshots/web-1"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmRestore);
    using interrupts = listenForInterrupts();
    const folder = nodePath(args.folder);
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "restore", folder },
      doing: "restoring",
      signal: interrupts.first,
    });
    this.screen.print(
      renderHandAct(action, `it goes on from the snapshot in ${folder}`, { colour: this.screen.colour }),
    );
    return action.result;
  }
}
