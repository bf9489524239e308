import { Flags } from "@oclif/core";
import type { DoctorReport } from "../model/doctor-report.ts";
import { renderDoctorReport } from "../report/doctor-text.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import type { Practice } from "./cli/doctor-practice.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { showWaiting } from "./cli/screen/show-waiting.ts";
import { nodesFlags } from "./cli/vm-action.ts";

export default class Doctor extends OdoroboCommand {
  static override summary = "look at a server from KVM to leftovers, and say what to do about what is wrong";
  static override description =
    "Asks the agent of --node or --agent; without these the agent of this machine, and where none answers, looks for itself. Changes nothing. Exits 0, or 1 when something fails. What could not be seen is unknown, not ok.";
  static override flags = {
    bundle: Flags.string({
      summary: "write an archive for somebody who helps, without secrets; needs the role admin of an agent",
      helpValue: "FILE.tar.gz",
    }),
    local: Flags.boolean({ summary: "look at this machine without asking its agent", exclusive: ["agent", "node"] }),
    data: Flags.string({ summary: "data folder of this machine's agent, where it is not asked", helpValue: "FOLDER" }),
    run: Flags.string({ summary: "run folder of this machine's agent, where it is not asked", helpValue: "FOLDER" }),
    ...nodesFlags,
  };
  static override examples = [
    "<%= config.bin %> doctor",
    "<%= config.bin %> doctor --node n1 --bundle n1-support.tar.gz",
  ];

  override async run(): Promise<DoctorReport> {
    const { flags } = await this.parse(Doctor);
    using interrupts = listenForInterrupts();
    const { openPractice } = await import("./cli/doctor-practice.ts");
    await using practice = await openPractice(flags, interrupts.first);
    if (practice.note !== null) this.screen.note(practice.note);
    const report = await this.#examine(practice, flags.bundle, interrupts.first);
    this.screen.print(renderDoctorReport(report, { colour: this.screen.colour }));
    process.exitCode = report.findings.some((finding) => finding.level === "fail") ? 1 : 0;
    return report;
  }

  async #examine(practice: Practice, bundle: string | undefined, signal: AbortSignal): Promise<DoctorReport> {
    using _waiting = showWaiting("looking", process.stderr);
    const report = await practice.examine(signal);
    if (bundle === undefined) return report;
    await practice.writeBundle(bundle, signal);
    this.screen.note(
      `${bundle} is written, without secrets as far as odorobo knows them: look at it before you send it`,
    );
    return report;
  }
}
