import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { type AgentInstallation, renderInstallation } from "../../report/agent-installation.ts";
import AgentCommand, { toAgentSettings } from "../agent.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { installFlags } from "../cli/install-flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { type GivenFlags, toArguments } from "../cli/to-arguments.ts";

export default class AgentInstallCommand extends OdoroboCommand {
  static override summary = "make the agent a service of this server, with these flags";
  static override description =
    "Writes a unit for systemd, the user that guests run as, and folders; then enables and starts the unit. Run again, with other flags or " +
    "after an upgrade, it changes what is different and restarts the agent; guests go on. Needs root.";
  static override flags = {
    ...AgentCommand.flags,
    ...installFlags,
  };
  static override examples = [
    "<%= config.bin %> agent install --name n1 --listen 10.0.0.1:8890 --access-file /etc/odorobo/access",
    "<%= config.bin %> agent install --dry-run",
  ];

  override async run(): Promise<AgentInstallation> {
    const { flags } = await this.parse(AgentInstallCommand);
    const { "dry-run": dryRun, root, json: _, "no-color": __, ...agentFlags } = flags;
    const { parseAgentConfig } = await import("../../agent/config.ts");
    const { AGENT_UNIT, installAgent } = await import("../../agent/install-agent.ts");

    // Whoever installs systemd's unit has systemd.
    const supervisor = agentFlags.supervisor === "auto" ? "systemd" : agentFlags.supervisor;
    const given = { ...agentFlags, supervisor };
    const config = parseAgentConfig(toAgentSettings(given));
    const command = [
      process.execPath,
      realpathSync(process.argv[1] ?? ""),
      "agent",
      ...toArguments(given as GivenFlags),
    ];
    using interrupts = listenForInterrupts();
    const { changes, isRunning } = await installAgent(
      { config, command },
      { root: resolve(root), dryRun, signal: interrupts.first },
    );
    const document: AgentInstallation = {
      kind: "AgentInstallation",
      version: 1,
      act: "install",
      dryRun,
      root: resolve(root),
      changes,
      unit: AGENT_UNIT,
      isRunning,
    };
    this.screen.print(renderInstallation(document, { colour: this.screen.colour }));
    return document;
  }
}
