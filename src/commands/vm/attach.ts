import { Flags } from "@oclif/core";
import { renderHandAct } from "../../report/hand-act-text.ts";
import type { FoundVm } from "../../turn/find-vm.ts";
import type { AttachableDevice, OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { requireOne } from "../cli/require-one.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmAttach extends OdoroboCommand {
  static override summary = "plug a disk or a NIC into the running guest";
  static override description =
    "A disk is name=NAME with source=URL (somebody's bytes) or size=SIZE (a new, empty volume), and readonly if it should be. A NIC is name=NAME with bridge=NAME or user, and mac=MAC if it should have a certain one. " +
    "The spec stays, so the next plan shows the difference: change the manifest to keep it.";
  static override usage = "<%= command.id %> VM (--disk DISK | --nic NIC) [flags]";
  static override args = vmArgs;
  static override flags = {
    disk: Flags.string({ summary: "the disk", helpValue: "name=data,source=file:///srv/data.raw" }),
    nic: Flags.string({ summary: "the NIC", helpValue: "name=eth1,bridge=br0", exclusive: ["disk"] }),
    ...nodesFlags,
  };
  static override examples = [
    "<%= config.bin %> vm attach web-1 --disk name=data,source=file:///srv/data.raw,readonly",
    "<%= config.bin %> vm attach web-1 --nic name=eth1,bridge=br0",
  ];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmAttach);
    using interrupts = listenForInterrupts();
    requireOne(flags, "disk", "nic");
    const { parseDisk, parseNic } = await import("../cli/parse-device.ts");
    const disk = flags.disk === undefined ? null : parseDisk(flags.disk);
    const toDevice = ({ vm }: FoundVm): AttachableDevice =>
      disk === null ? { list: "nics", nic: parseNic(flags.nic ?? "", vm) } : { list: "disks", disk };
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: (found) => ({ kind: "attach", device: toDevice(found) }),
      doing: "plugging into",
      signal: interrupts.first,
    });
    const what = disk === null ? "the NIC" : `the disk ${disk.name}`;
    this.screen.print(renderHandAct(action, `${what} was plugged in`, { colour: this.screen.colour }));
    return action.result;
  }
}
