import { type RunList, toRunList } from "../../report/run-document.ts";
import { renderRuns } from "../../report/runs-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { stateFlag } from "../cli/flags.ts";
import { listRemote, openGateway, remoteFlags } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { placeOfState } from "../cli/next-command.ts";

export default class RunsList extends OdoroboCommand {
  static override summary = "list the applies that were begun here, or wait for an approval, the latest first";
  static override description = "A hundred are kept, and none that has not moved for 30 days.";
  static override flags = { ...stateFlag, ...remoteFlags };
  static override hiddenAliases = ["runs:ls"];

  override async run(): Promise<RunList> {
    const { flags } = await this.parse(RunsList);
    if (flags.gateway !== undefined) {
      using interrupts = listenForInterrupts();
      await using client = await openGateway(flags.gateway, flags);
      return await listRemote(this.screen, client, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const list = toRunList(await (await openRuns(flags.state)).list());
    const { colour, width } = this.screen;
    this.screen.print(renderRuns(list, { colour, width, place: placeOfState(flags.state) }));
    return list;
  }
}
