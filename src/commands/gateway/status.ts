import type { GatewayFleetList } from "../../report/gateway/gateway-documents.ts";
import { renderGatewayStatus } from "../../report/gateway/gateway-status-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { openGateway, remoteFlags } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";

export default class GatewayStatusCommand extends OdoroboCommand {
  static override summary = "show what each fleet of a gateway is at: revision, what waits and for whom, what is wrong";
  static override description = "Exits 0, or 4 when a fleet could not be read yet or nodes of it are silent.";
  static override flags = remoteFlags;
  static override examples = ["<%= config.bin %> gateway status --gateway http://127.0.0.1:8900"];

  override async run(): Promise<GatewayFleetList> {
    const { flags } = await this.parse(GatewayStatusCommand);
    using interrupts = listenForInterrupts();
    await using client = await openGateway(flags.gateway ?? "http://127.0.0.1:8900", flags);
    const list = await client.get<GatewayFleetList>("/v1/fleets", interrupts.first);
    const { colour, width } = this.screen;
    this.screen.print(renderGatewayStatus(list, { colour, width, address: client.address }));
    const isBlind = list.fleets.some(({ isReady, silentNodes }) => !isReady || silentNodes.length > 0);
    process.exitCode = isBlind ? 4 : 0;
    return list;
  }
}
