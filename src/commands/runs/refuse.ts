import { Args, Flags } from "@oclif/core";
import type { RunDocument } from "../../report/run-document.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { stateFlag } from "../cli/flags.ts";
import { openGateway, orderRemote, remoteFlags } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { waitingRunOf } from "../cli/runs/run-flags.ts";

export default class RunsRefuse extends OdoroboCommand {
  static override summary = "turn down a run that waits for an approval";
  static override description =
    "Nothing of it is begun. What it would have done is not asked for again before the manifests say something else.";
  static override args = {
    run: Args.string({ description: "the run's id, or its beginning (default: the one that waits)" }),
  };
  static override flags = {
    ...stateFlag,
    ...remoteFlags,
    reason: Flags.string({ summary: "why, for whoever looks at it later", helpValue: "TEXT" }),
  };

  override async run(): Promise<RunDocument> {
    const { args, flags } = await this.parse(RunsRefuse);
    if (flags.gateway !== undefined) {
      using interrupts = listenForInterrupts();
      await using client = await openGateway(flags.gateway, flags);
      return await orderRemote(this.screen, client, args.run, { kind: "refuse", reason: flags.reason }, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const { orderRun } = await import("../cli/runs/order-run.ts");
    const store = await openRuns(flags.state);
    const order = { kind: "refuse", reason: flags.reason } as const;
    return await orderRun(this.screen, store, await waitingRunOf(store, args.run), order, flags.state);
  }
}
