import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { type GatewayInstallation, renderInstallation } from "../../report/agent-installation.ts";
import AgentCommand from "../agent.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { gatewayFlags, toGatewayConfig } from "../cli/gateway/gateway-flags.ts";
import { installFlags } from "../cli/install-flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { type GivenFlags, toArguments } from "../cli/to-arguments.ts";

export default class GatewayInstallCommand extends OdoroboCommand {
  static override summary = "make the gateway a service of this server, with these flags";
  static override description =
    "Writes a unit for systemd and the user odorobo-gateway, which must be able to read the files of secrets; then enables and starts the unit. Run again, with other flags or " +
    "after an upgrade, it changes what is different and restarts the gateway; guests go on. Files that it did not write are left alone. Needs root.";
  static override flags = {
    ...gatewayFlags,
    bus: AgentCommand.flags.bus,
    ...installFlags,
  };
  static override examples = [
    "<%= config.bin %> gateway install --config /etc/odorobo/gateway.yaml",
    "<%= config.bin %> gateway install --repo https://forge.example/team/fleet.git --ref main --dry-run",
  ];

  override async run(): Promise<GatewayInstallation> {
    const { flags } = await this.parse(GatewayInstallCommand);
    const { "dry-run": dryRun, root, bus, json: _, "no-color": __, ...given } = flags;
    const { GATEWAY_UNIT, installGateway } = await import("../../agent/install-gateway.ts");
    const { DEFAULT_BUS } = await import("../../agent/config.ts");
    const { config, warningsText } = await toGatewayConfig(flags);
    if (warningsText !== "") this.screen.note(warningsText);
    const command = [
      process.execPath,
      realpathSync(process.argv[1] ?? ""),
      "gateway",
      ...toArguments(given as GivenFlags),
    ];
    using interrupts = listenForInterrupts();
    const { listen, dataFolder } = config;
    const { changes, isRunning } = await installGateway(
      { bus: bus ?? DEFAULT_BUS, listen, dataFolder, command },
      { root: resolve(root), dryRun, signal: interrupts.first },
    );
    const document: GatewayInstallation = {
      kind: "GatewayInstallation",
      version: 1,
      act: "install",
      dryRun,
      root: resolve(root),
      changes,
      unit: GATEWAY_UNIT,
      isRunning,
    };
    this.screen.print(renderInstallation(document, { colour: this.screen.colour }));
    return document;
  }
}
