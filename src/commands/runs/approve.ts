import { Args } from "@oclif/core";
import type { RunDocument } from "../../report/run-document.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { stateFlag } from "../cli/flags.ts";
import { openGateway, orderRemote, remoteFlags } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { waitingRunOf } from "../cli/runs/run-flags.ts";

export default class RunsApprove extends OdoroboCommand {
  static override summary = "let a run begin that waits for an approval";
  static override description =
    "It is carried out as `runs show` shows it, by whoever asked, or, when nobody is there, by the next `odorobo watch` or gateway of the fleet. When a VM has moved on meanwhile nothing is begun, and it is asked anew. An approval of what was replaced is void.";
  static override args = {
    run: Args.string({ description: "the run's id, or its beginning (default: the one that waits)" }),
  };
  static override flags = { ...stateFlag, ...remoteFlags };

  override async run(): Promise<RunDocument> {
    const { args, flags } = await this.parse(RunsApprove);
    if (flags.gateway !== undefined) {
      using interrupts = listenForInterrupts();
      await using client = await openGateway(flags.gateway, flags);
      return await orderRemote(this.screen, client, args.run, { kind: "approve" }, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const { orderRun } = await import("../cli/runs/order-run.ts");
    const store = await openRuns(flags.state);
    return await orderRun(this.screen, store, await waitingRunOf(store, args.run), { kind: "approve" }, flags.state);
  }
}
