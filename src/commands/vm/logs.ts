import { Flags } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { vmName } from "../../model/names.ts";
import { toVmLog, type VmLog } from "../../report/vm-log.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { stdoutClosed, writeBytes } from "../cli/screen/terminal.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmLogs extends OdoroboCommand {
  static override summary = "print what a guest said on its serial line";
  static override description = "The log outlives the guest: it also says what was said before a crash.";
  static override args = vmArgs;
  static override flags = {
    follow: Flags.boolean({ char: "f", summary: "go on with what is added, until Ctrl-C" }),
    lines: Flags.integer({
      char: "n",
      summary: "how many of the last lines (default: 200)",
      helpValue: "N",
      min: 0,
      max: 100_000,
    }),
    ...nodesFlags,
  };

  override async run(): Promise<VmLog | undefined> {
    const { args, flags } = await this.parse(VmLogs);
    if (this.screen.json && flags.follow)
      throw new OdoroboError("USAGE", "a document has an end, and --follow has none", {
        hint: "leave out --json or --follow",
      });
    using interrupts = listenForInterrupts();
    const signal = AbortSignal.any([interrupts.first, stdoutClosed]);
    await using reached = await reach(flags, signal);
    const { findVm } = await import("../../turn/find-vm.ts");
    const { node, vm } = findVm(vmName(args.vm), reached.observed);
    const log = reached.agents
      .of(node)
      .followLog(vm.name, { tailLines: flags.lines ?? null, follow: flags.follow }, signal);
    if (this.screen.json) {
      const chunks: Uint8Array[] = [];
      for await (const bytes of log) chunks.push(bytes);
      return toVmLog(vm.name, node, Buffer.concat(chunks).toString("utf8"));
    }
    try {
      for await (const bytes of log) await writeBytes(bytes);
    } catch (error) {
      // Following has no other end than being told to stop.
      if (!signal.aborted) throw error;
    }
    return undefined;
  }
}
