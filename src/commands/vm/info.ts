import { Flags } from "@oclif/core";
import { vmName } from "../../model/names.ts";
import type { VmReport } from "../../model/observed-state.ts";
import { renderVm } from "../../report/vm-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmInfo extends OdoroboCommand {
  static override summary = "show what an agent knows of one VM";
  static override args = vmArgs;
  static override flags = {
    changes: Flags.boolean({ summary: "what the running guest takes without an outage, and what not", default: false }),
    ...nodesFlags,
  };

  override async run(): Promise<VmReport> {
    const { args, flags } = await this.parse(VmInfo);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { findVm } = await import("../../turn/find-vm.ts");
    const { node, vm } = findVm(vmName(args.vm), reached.observed);
    this.screen.print(renderVm(vm, node, { ...this.screen, changes: flags.changes }));
    return vm;
  }
}
