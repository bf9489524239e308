import { Flags } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { renderHandAct } from "../../report/hand-act-text.ts";
import type { OperationResult, Resize } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { parseDiskSize, parseMiB } from "../cli/parse-quantity.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmResize extends OdoroboCommand {
  static override summary = "give the running guest more or less, without an outage";
  static override description =
    "What it cannot take while it runs is refused; vm info --changes shows what it can. The spec stays, so the next plan shows the difference: change the manifest to keep it.";
  static override args = vmArgs;
  static override flags = {
    cpus: Flags.integer({ summary: "so many cpus", helpValue: "N", min: 1 }),
    memory: Flags.string({ summary: "so much memory", helpValue: "4GiB" }),
    balloon: Flags.string({ summary: "take so much memory from the guest for the host's use", helpValue: "512MiB" }),
    disk: Flags.string({ summary: "grow this disk; never shrinks", helpValue: "NAME=20GiB" }),
    ...nodesFlags,
  };
  static override examples = [
    "<%= config.bin %> vm resize web-1 --cpus 4 --memory 8GiB",
    "<%= config.bin %> vm resize web-1 --disk data=40GiB",
  ];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmResize);
    using interrupts = listenForInterrupts();
    const resize = toResize(flags);
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "resize", ...resize },
      doing: "resizing",
      signal: interrupts.first,
    });
    this.screen.print(renderHandAct(action, "resized", { colour: this.screen.colour }));
    return action.result;
  }
}

interface ResizeFlags {
  readonly cpus?: number | undefined;
  readonly memory?: string | undefined;
  readonly balloon?: string | undefined;
  readonly disk?: string | undefined;
}

function toResize({ cpus, memory, balloon, disk }: ResizeFlags): Resize {
  const resize: Resize = {
    cpus: cpus ?? null,
    memoryMiB: memory === undefined ? null : parseMiB(memory, "--memory"),
    balloonMiB: balloon === undefined ? null : parseMiB(balloon, "--balloon"),
    disk: disk === undefined ? null : parseDiskSize(disk),
  };
  if (Object.values(resize).some((value) => value !== null)) return resize;
  throw new OdoroboError("USAGE", "nothing to resize", { hint: "give --cpus, --memory, --balloon or --disk" });
}
