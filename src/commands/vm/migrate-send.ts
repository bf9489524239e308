import { Args, Flags } from "@oclif/core";
import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmMigrateSend extends OdoroboCommand {
  static override summary = "send a running guest to where vm migrate-receive listens";
  static override description =
    "Done when the guest has left; when it cannot, it runs on here. The manifests must name the new node, or the next plan sends it back. Disks are not copied: both nodes must see the same.";
  static override args = {
    ...vmArgs,
    url: Args.string({ description: "where the other node listens: tcp:HOST:PORT", required: true }),
  };
  static override flags = {
    local: Flags.boolean({
      summary: "both are on one host: hand the memory over instead of copying it",
      default: false,
    }),
    ...nodesFlags,
  };
  static override examples = ["<%= config.bin %> vm migrate-send web-1 tcp:10.0.0.2:49152 --node n1"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmMigrateSend);
    using interrupts = listenForInterrupts();
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "migrate-send", url: args.url, local: flags.local },
      doing: "sending",
      signal: interrupts.first,
    });
    this.screen.print(renderHandAct(action, `it has left for ${args.url}`, { colour: this.screen.colour }));
    return action.result;
  }
}
