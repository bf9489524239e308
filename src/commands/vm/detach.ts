import { Flags } from "@oclif/core";
import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { requireOne } from "../cli/require-one.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmDetach extends OdoroboCommand {
  static override summary = "unplug a disk or a NIC from the running guest";
  static override description =
    "Done when the guest has let go of it. Unmount a disk in the guest first. What is on a disk stays. The spec stays too, so the next plan shows the difference: change the manifest to keep it.";
  static override usage = "<%= command.id %> VM (--disk NAME | --nic NAME) [flags]";
  static override args = vmArgs;
  static override flags = {
    disk: Flags.string({ summary: "the disk", helpValue: "NAME" }),
    nic: Flags.string({ summary: "the NIC", helpValue: "NAME", exclusive: ["disk"] }),
    ...nodesFlags,
  };
  static override examples = ["<%= config.bin %> vm detach web-1 --disk data"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmDetach);
    using interrupts = listenForInterrupts();
    const kind = requireOne(flags, "disk", "nic");
    const name = flags[kind] ?? "";
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "detach", device: { list: kind === "disk" ? "disks" : "nics", name } },
      doing: "unplugging from",
      signal: interrupts.first,
    });
    const what = `the ${kind === "disk" ? "disk" : "NIC"} ${name} was unplugged`;
    this.screen.print(renderHandAct(action, what, { colour: this.screen.colour }));
    return action.result;
  }
}
