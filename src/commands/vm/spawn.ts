import { Args, Flags } from "@oclif/core";
import type { VmReport } from "../../model/observed-state.ts";
import { renderMadeVm } from "../../report/by-hand-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { makeByHand } from "../cli/make-by-hand.ts";
import { nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmSpawn extends OdoroboCommand {
  static override summary = "make a VM of no fleet, with Cloud Hypervisor's own configuration or to get one later";
  static override description =
    "The configuration is a VmConfig, as vm.create of Cloud Hypervisor takes it. Without one the VM waits for vm create, or for a guest from elsewhere (vm migrate-receive). No apply touches it.";
  static override args = {
    ...vmArgs,
    config: Args.string({ description: "file with a VmConfig in JSON, or - for stdin" }),
  };
  static override flags = {
    boot: Flags.boolean({ summary: "start it too", default: false }),
    ...nodesFlags,
  };
  static override examples = ["<%= config.bin %> vm spawn try-1 config.json --boot --node n1"];

  override async run(): Promise<VmReport> {
    const { args, flags } = await this.parse(VmSpawn);
    using interrupts = listenForInterrupts();
    const made = await makeByHand({
      vm: args.vm,
      flags,
      config: args.config,
      boot: flags.boot,
      mayExist: false,
      signal: interrupts.first,
    });
    this.screen.print(renderMadeVm(made.vm, made.node, { colour: this.screen.colour }));
    return made.vm;
  }
}
