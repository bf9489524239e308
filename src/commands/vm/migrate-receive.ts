import { Flags } from "@oclif/core";
import { renderListening } from "../../report/migration-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmMigrateReceive extends OdoroboCommand {
  static override summary = "let a VM's node wait for its guest, which another node sends";
  static override description =
    "The VM is defined on this node and off. Prints where it listens: give that to vm migrate-send on the node that has the guest. vm shutdown ends the waiting. Disks are not copied: both nodes must see the same.";
  static override args = vmArgs;
  static override flags = {
    url: Flags.string({
      summary: "where to listen (default: a free port on every address of the node)",
      helpValue: "tcp:10.0.0.2:49152",
    }),
    ...nodesFlags,
  };
  static override examples = ["<%= config.bin %> vm migrate-receive web-1 --node n2"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmMigrateReceive);
    using interrupts = listenForInterrupts();
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "migrate-receive", url: flags.url ?? null },
      doing: "preparing for",
      signal: interrupts.first,
    });
    this.screen.print(renderListening(action, { colour: this.screen.colour }));
    return action.result;
  }
}
