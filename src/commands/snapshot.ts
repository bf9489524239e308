import type { FleetSnapshot } from "../plan/snapshot.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { agentFlags, fleetFlags, folderArg, toAccess, toLocation } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { printLine } from "./cli/screen/terminal.ts";

export default class Snapshot extends OdoroboCommand {
  static override summary = "print the whole fleet as one document: what it should be and what it is";
  static override description =
    "For `plan --from`, which plans from it without asking any agent. No secrets: texts by digest, and nothing that guests said. Exits 0, or 4 when some nodes did not answer: they are in it as silent.";
  static override args = folderArg;
  static override flags = { ...fleetFlags, ...agentFlags };
  static override examples = ["<%= config.bin %> snapshot ./fleet > fleet.json"];

  override async run(): Promise<FleetSnapshot> {
    const { args, flags } = await this.parse(Snapshot);
    using interrupts = listenForInterrupts();
    const { systemClock } = await import("../platform/clock.ts");
    const { takeSnapshot } = await import("../turn/what-if/snapshots.ts");
    const request = { location: toLocation(flags, args.folder), access: toAccess(flags), clock: systemClock };
    const snapshot = await takeSnapshot(request, interrupts.first);
    // It is a document in any case.
    if (!this.screen.json) printLine(JSON.stringify(snapshot, null, 2));
    process.exitCode = snapshot.observed.nodes.some((node) => node.reach === "silent") ? 4 : 0;
    return snapshot;
  }
}
