import { Args } from "@oclif/core";
import type { ApplyReport } from "../../apply/apply-report.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { attachRemote, gatewayFlag, openGateway, orderRemote } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { runFlags, runOf, toAttachOptions } from "../cli/runs/run-flags.ts";

export default class RunsResume extends OdoroboCommand {
  static override summary = "carry on a run that was paused";
  static override description =
    "Looks at manifests and nodes again, and goes on with what is left; a VM that was changed meanwhile is left alone. Prints the report of the whole run and exits as the apply would have.";
  static override args = {
    run: Args.string({ description: "the run's id, or its beginning (default: the one that is not over)" }),
  };
  static override flags = { ...gatewayFlag, ...runFlags };

  override async run(): Promise<ApplyReport> {
    const { args, flags } = await this.parse(RunsResume);
    using interrupts = listenForInterrupts();
    if (flags.gateway !== undefined) {
      await using client = await openGateway(flags.gateway, flags);
      const { id } = await orderRemote(this.screen, client, args.run, { kind: "resume" }, interrupts);
      return await attachRemote(this.screen, client, id, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const { attachRun } = await import("../cli/runs/attach-run.ts");
    const store = await openRuns(flags.state);
    const id = await runOf(store, args.run);
    return await attachRun(this.screen, store, {
      ...toAttachOptions(flags),
      kind: "resume",
      id,
      state: flags.state,
      interrupts,
    });
  }
}
