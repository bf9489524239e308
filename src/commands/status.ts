import { systemClock } from "../platform/clock.ts";
import { type StatusDocument, toStatusDocument } from "../report/status-document.ts";
import { renderStatus } from "../report/status-text.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { agentFlags, fleetFlags, folderArg, toAccess, toLocation } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";

export default class Status extends OdoroboCommand {
  static override summary = "show nodes, VMs and drift as they are now";
  static override description = "Judges nothing: that is plan. Exits 0, or 4 when some nodes did not answer.";
  static override args = folderArg;
  static override flags = { ...fleetFlags, ...agentFlags };

  override async run(): Promise<StatusDocument> {
    const { args, flags } = await this.parse(Status);
    using interrupts = listenForInterrupts();
    const { reachFleet } = await import("../turn/reach-nodes.ts");
    const request = {
      location: toLocation(flags, args.folder),
      node: null,
      access: toAccess(flags),
      clock: systemClock,
    };
    await using reached = await reachFleet(request, interrupts.first);
    const { fleet, observed } = reached;
    const status = toStatusDocument({ ...fleet, observed });
    this.screen.print(renderStatus(status, this.screen));
    process.exitCode = status.summary.silentNodes > 0 ? 4 : 0;
    return status;
  }
}
