import { Args, Flags } from "@oclif/core";
import type { VmReport } from "../../model/observed-state.ts";
import { renderMadeVm } from "../../report/by-hand-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { makeByHand } from "../cli/make-by-hand.ts";
import { nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmCreate extends OdoroboCommand {
  static override summary = "give a VM of no fleet its configuration, and make it if it is not there";
  static override description =
    "The configuration is a VmConfig, as vm.create of Cloud Hypervisor takes it. VMs that stand in manifests are made by apply.";
  static override args = {
    ...vmArgs,
    config: Args.string({ description: "file with a VmConfig in JSON, or - for stdin", required: true }),
  };
  static override flags = { boot: Flags.boolean({ summary: "start it too", default: false }), ...nodesFlags };
  static override examples = ["<%= config.bin %> vm create try-1 config.json --node n1"];

  override async run(): Promise<VmReport> {
    const { args, flags } = await this.parse(VmCreate);
    using interrupts = listenForInterrupts();
    const made = await makeByHand({
      vm: args.vm,
      flags,
      config: args.config,
      boot: flags.boot,
      mayExist: true,
      signal: interrupts.first,
    });
    this.screen.print(renderMadeVm(made.vm, made.node, { colour: this.screen.colour }));
    return made.vm;
  }
}
