import { resolve } from "node:path";
import { Flags } from "@oclif/core";
import { type GatewayInstallation, renderInstallation } from "../../report/agent-installation.ts";
import AgentCommand from "../agent.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";

export default class GatewayUninstallCommand extends OdoroboCommand {
  static override summary = "take the gateway's service away; guests go on, and all data stays";
  static override description =
    "Lets end what is in flight, disables the unit and removes what `gateway install` wrote. The data folder, gateway.yaml and secrets stay. Needs root.";
  static override flags = {
    bus: AgentCommand.flags.bus,
    "dry-run": Flags.boolean({ summary: "only say what would be done", default: false }),
    root: Flags.string({ summary: "the folder that stands for /", helpValue: "FOLDER", default: "/" }),
  };
  static override examples = ["<%= config.bin %> gateway uninstall"];

  override async run(): Promise<GatewayInstallation> {
    const { flags } = await this.parse(GatewayUninstallCommand);
    const { GATEWAY_UNIT, uninstallGateway } = await import("../../agent/install-gateway.ts");
    const { DEFAULT_BUS } = await import("../../agent/config.ts");
    using interrupts = listenForInterrupts();
    const [root, dryRun] = [resolve(flags.root), flags["dry-run"]];
    const { changes, isRunning } = await uninstallGateway(flags.bus ?? DEFAULT_BUS, {
      root,
      dryRun,
      signal: interrupts.first,
    });
    const document: GatewayInstallation = {
      kind: "GatewayInstallation",
      version: 1,
      act: "uninstall",
      dryRun,
      root,
      changes,
      unit: GATEWAY_UNIT,
      isRunning,
    };
    this.screen.print(renderInstallation(document, { colour: this.screen.colour }));
    return document;
  }
}
