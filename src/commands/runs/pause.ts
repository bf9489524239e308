import { Args } from "@oclif/core";
import type { RunDocument } from "../../report/run-document.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { stateFlag } from "../cli/flags.ts";
import { openGateway, orderRemote, remoteFlags } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { runOf } from "../cli/runs/run-flags.ts";

export default class RunsPause extends OdoroboCommand {
  static override summary = "begin nothing more of a run; what is in flight ends";
  static override description =
    "Its executor ends with 130 when nothing is in flight any more. `runs resume` carries it on.";
  static override args = {
    run: Args.string({ description: "the run's id, or its beginning (default: the one that is not over)" }),
  };
  static override flags = { ...stateFlag, ...remoteFlags };

  override async run(): Promise<RunDocument> {
    const { args, flags } = await this.parse(RunsPause);
    if (flags.gateway !== undefined) {
      using interrupts = listenForInterrupts();
      await using client = await openGateway(flags.gateway, flags);
      return await orderRemote(this.screen, client, args.run, { kind: "pause" }, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const { orderRun } = await import("../cli/runs/order-run.ts");
    const store = await openRuns(flags.state);
    return await orderRun(this.screen, store, await runOf(store, args.run), { kind: "pause" }, flags.state);
  }
}
