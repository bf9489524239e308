import { Args } from "@oclif/core";
import { type RunDocument, toRunDocument } from "../../report/run-document.ts";
import { renderRun } from "../../report/runs-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { stateFlag } from "../cli/flags.ts";
import { openGateway, remoteFlags, showRemote } from "../cli/gateway/remote-runs.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { placeOfState } from "../cli/next-command.ts";

export default class RunsShow extends OdoroboCommand {
  static override summary = "show what a run has done and what became of the rest, or what it would do";
  static override args = { run: Args.string({ description: "the run's id, or its beginning", required: true }) };
  static override flags = { ...stateFlag, ...remoteFlags };

  override async run(): Promise<RunDocument> {
    const { args, flags } = await this.parse(RunsShow);
    if (flags.gateway !== undefined) {
      using interrupts = listenForInterrupts();
      await using client = await openGateway(flags.gateway, flags);
      return await showRemote(this.screen, client, args.run, interrupts);
    }
    const { openRuns } = await import("../cli/runs/begin-run.ts");
    const store = await openRuns(flags.state);
    const run = await store.find(args.run);
    const plan = await store.plan(run.id);
    const document = toRunDocument(run, plan);
    this.screen.print(renderRun(document, plan, { colour: this.screen.colour, place: placeOfState(flags.state) }));
    return document;
  }
}
