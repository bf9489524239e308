import { vmName } from "../../model/names.ts";
import { renderCounters } from "../../report/by-hand-text.ts";
import type { GuestCounters } from "../../wire/client.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmCounters extends OdoroboCommand {
  static override summary = "show what the hypervisor counted: bytes and operations of disks and NICs, since the boot";
  static override args = vmArgs;
  static override flags = nodesFlags;

  override async run(): Promise<GuestCounters> {
    const { args, flags } = await this.parse(VmCounters);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { findGuest } = await import("../../turn/find-vm.ts");
    const { node, vm } = findGuest(vmName(args.vm), reached.observed);
    const counters = await reached.agents.of(node).counters(vm.name, interrupts.first);
    this.screen.print(renderCounters(counters, this.screen));
    return counters;
  }
}
