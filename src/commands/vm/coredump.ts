import { Args } from "@oclif/core";
import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodePath } from "../cli/node-path.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmCoredump extends OdoroboCommand {
  static override summary = "write a guest's memory and registers to a file on its node";
  static override description =
    "The folder must be one that the agent was given with --allow-path. Whatever the guest had in its memory is in the file, secrets too.";
  static override args = {
    ...vmArgs,
    file: Args.string({ description: "path on the node; must not exist yet", required: true }),
  };
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> vm coredump web-1 /srv/dumps/web-1.core"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmCoredump);
    using interrupts = listenForInterrupts();
    const file = nodePath(args.file);
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "coredump", file },
      doing: "dumping the memory of",
      signal: interrupts.first,
    });
    this.screen.print(renderHandAct(action, `its memory is in ${file} on the node`, { colour: this.screen.colour }));
    return action.result;
  }
}
