import { Args } from "@oclif/core";
import type { ApplyReport } from "../../apply/apply-report.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { attachRemote, gatewayFlag, openGateway } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { runFlags, runOf, toAttachOptions } from "../cli/runs/run-flags.ts";

export default class RunsAttach extends OdoroboCommand {
  static override summary = "look on at a run, or carry it on when nobody executes it any more";
  static override description =
    "Shows it from its beginning, prints its report and exits as the apply would have. Steps that may have been done are asked for again by their ids, which does them once. A paused run stays paused. Ctrl-C while another executes it: it goes on without you.";
  static override args = {
    run: Args.string({ description: "the run's id, or its beginning (default: the one that is not over)" }),
  };
  static override flags = { ...gatewayFlag, ...runFlags };

  override async run(): Promise<ApplyReport> {
    const { args, flags } = await this.parse(RunsAttach);
    using interrupts = listenForInterrupts();
    if (flags.gateway !== undefined) {
      await using client = await openGateway(flags.gateway, flags);
      return await attachRemote(this.screen, client, args.run, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const { attachRun } = await import("../cli/runs/attach-run.ts");
    const store = await openRuns(flags.state);
    const id = await runOf(store, args.run);
    return await attachRun(this.screen, store, {
      ...toAttachOptions(flags),
      kind: "attach",
      id,
      state: flags.state,
      interrupts,
    });
  }
}
