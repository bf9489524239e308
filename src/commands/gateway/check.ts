import { systemClock } from "../../platform/clock.ts";
import { type GatewayCheck, renderGatewayCheck } from "../../report/gateway/gateway-check.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { gatewayFlags, toGatewayConfig } from "../cli/gateway/gateway-flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { showWaiting } from "../cli/screen/show-waiting.ts";

export default class GatewayCheckCommand extends OdoroboCommand {
  static override summary = "look whether repositories, agents, forges and hooks can be reached, and say what to do";
  static override description =
    "With the flags or the file of `odorobo gateway`, as the user that it will run as. Changes nothing, tells nobody anything. Exits 0, or 1 when something fails. What could not be seen is unknown, not ok.";
  static override flags = gatewayFlags;
  static override examples = ["<%= config.bin %> gateway check --config /etc/odorobo/gateway.yaml"];

  override async run(): Promise<GatewayCheck> {
    const { flags } = await this.parse(GatewayCheckCommand);
    using interrupts = listenForInterrupts();
    const { checkGateway } = await import("../../gateway/service/check/check-gateway.ts");
    const { config, warningsText } = await toGatewayConfig(flags);
    if (warningsText !== "") this.screen.note(warningsText);
    const check = await this.#look(() => checkGateway(config, systemClock, interrupts.first));
    this.screen.print(renderGatewayCheck(check, { colour: this.screen.colour }));
    process.exitCode = check.findings.some(({ level }) => level === "fail") ? 1 : 0;
    return check;
  }

  async #look(work: () => Promise<GatewayCheck>): Promise<GatewayCheck> {
    using _waiting = showWaiting("looking", process.stderr);
    return await work();
  }
}
