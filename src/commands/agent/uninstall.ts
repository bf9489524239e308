import { resolve } from "node:path";
import { Flags } from "@oclif/core";
import { type AgentInstallation, renderInstallation } from "../../report/agent-installation.ts";
import AgentCommand from "../agent.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";

export default class AgentUninstallCommand extends OdoroboCommand {
  static override summary = "take the agent's service away; guests go on, and all data stays";
  static override description =
    "Stops and disables the agent's unit and removes what `agent install` wrote. Guests that run are no part of it, and neither are " +
    "disks, records, hooks and tokens. Needs root.";
  static override flags = {
    bus: AgentCommand.flags.bus,
    hooks: AgentCommand.flags.hooks,
    "dry-run": Flags.boolean({ summary: "only say what would be done", default: false }),
    root: Flags.string({ summary: "the folder that stands for /", helpValue: "FOLDER", default: "/" }),
  };
  static override examples = ["<%= config.bin %> agent uninstall"];

  override async run(): Promise<AgentInstallation> {
    const { flags } = await this.parse(AgentUninstallCommand);
    const { parseAgentConfig } = await import("../../agent/config.ts");
    const { AGENT_UNIT, uninstallAgent } = await import("../../agent/install-agent.ts");

    using interrupts = listenForInterrupts();
    const [root, dryRun] = [resolve(flags.root), flags["dry-run"]];
    const { changes, isRunning } = await uninstallAgent(
      parseAgentConfig({ bus: flags.bus, hooks: flags.hooks, name: "any" }),
      {
        root,
        dryRun,
        signal: interrupts.first,
      },
    );
    const document: AgentInstallation = {
      kind: "AgentInstallation",
      version: 1,
      act: "uninstall",
      dryRun,
      root,
      changes,
      unit: AGENT_UNIT,
      isRunning,
    };
    this.screen.print(renderInstallation(document, { colour: this.screen.colour }));
    return document;
  }
}
