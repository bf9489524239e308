import { Args } from "@oclif/core";
import type { RunDocument } from "../../report/run-document.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { stateFlag } from "../cli/flags.ts";
import { openGateway, orderRemote, remoteFlags } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { runOf } from "../cli/runs/run-flags.ts";

export default class RunsAbort extends OdoroboCommand {
  static override summary = "end a run: what has not begun never begins";
  static override description =
    "What is in flight ends, what was done stays done. `odorobo plan` shows what is left. One that waits for an approval is turned down.";
  static override args = {
    run: Args.string({ description: "the run's id, or its beginning (default: the one that is not over)" }),
  };
  static override flags = { ...stateFlag, ...remoteFlags };

  override async run(): Promise<RunDocument> {
    const { args, flags } = await this.parse(RunsAbort);
    if (flags.gateway !== undefined) {
      using interrupts = listenForInterrupts();
      await using client = await openGateway(flags.gateway, flags);
      return await orderRemote(this.screen, client, args.run, { kind: "abort" }, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const { orderRun } = await import("../cli/runs/order-run.ts");
    const store = await openRuns(flags.state);
    return await orderRun(this.screen, store, await runOf(store, args.run), { kind: "abort" }, flags.state);
  }
}
