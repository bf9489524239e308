import { Flags } from "@oclif/core";
import { renderDeletedVms } from "../../report/deletion-text.ts";
import { renderSilent, toVmList, type VmList } from "../../report/lists.ts";
import { renderVms } from "../../report/status-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

export default class VmListCommand extends OdoroboCommand {
  static override summary = "list the VMs that the agents have";
  static override description = "Exits 0, or 4 when some nodes did not answer: their VMs are not in the list.";
  static override flags = {
    deleted: Flags.boolean({ summary: "those that were deleted and whose disks are kept, until when" }),
    output: Flags.option({ char: "o", summary: "wide: with where guests can be found", options: ["wide"] as const })(),
    ...nodesFlags,
  };
  static override hiddenAliases = ["vm:ls"];

  override async run(): Promise<VmList> {
    const { flags } = await this.parse(VmListCommand);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const desired = reached.fleet?.desired;
    const list = toVmList(
      reached.observed.nodes,
      desired === undefined ? null : { fleet: desired.fleet.name, named: new Set(desired.vms.map((vm) => vm.name)) },
    );
    const { screen } = this;
    const isBlind = list.vms.length === 0 && list.silent.length > 0;
    if (flags.deleted) screen.print(renderDeletedVms(list.deleted, screen));
    else
      screen.print(
        isBlind ? "No VM could be seen." : renderVms(list.vms, { ...screen, wide: flags.output === "wide" }),
      );
    if (list.silent.length > 0) screen.note(renderSilent(list.silent));
    process.exitCode = list.silent.length > 0 ? 4 : 0;
    return list;
  }
}
