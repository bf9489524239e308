import { randomUUID } from "node:crypto";
import { Flags } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { nodeName, vmName } from "../../model/names.ts";
import { renderMoved } from "../../report/move-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { chooseNode } from "../cli/choose-node.ts";
import { agentFlags, fleetFlags } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { showMove } from "../cli/screen/show-move.ts";
import { reach, vmArgs } from "../cli/vm-action.ts";

export default class VmMigrate extends OdoroboCommand {
  static override summary = "move a VM to another node";
  static override description =
    "While it runs, with the disks that its node keeps for it; one that is off goes as it is, and with --mode cold a guest is shut down for it and started there: its disks are sent and compared, and a break costs only what was on its way. Done when it runs there and nothing of it is left here; when it cannot be moved, it runs on where it is. The two agents carry it through by themselves: Ctrl-C calls it off while that is possible, and a terminal that is closed does not.";
  static override args = vmArgs;
  static override flags = {
    to: Flags.string({
      summary: "the node that it goes to (default: the one that placement would give it)",
      helpValue: "NODE",
    }),
    mode: Flags.string({
      summary: "cold: shut down, sent with its disks, started there (default: as it runs; off, if it is)",
      options: ["live", "cold"],
      helpValue: "live|cold",
    }),
    yes: Flags.boolean({ char: "y", summary: "where several nodes could take it, do not ask", helpGroup: "GUARDS" }),
    bandwidth: Flags.integer({
      summary: "how much of the link it may take, in MiB a second (default: as much as there is)",
      helpValue: "MIB",
      min: 1,
    }),
    ...fleetFlags,
    ...agentFlags,
  };
  static override examples = [
    "<%= config.bin %> vm migrate web-1 --to n2",
    "<%= config.bin %> vm migrate web-1",
    "<%= config.bin %> vm migrate web-1 --to n2 --mode cold",
  ];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmMigrate);
    const { findVm } = await import("../../turn/find-vm.ts");
    const { makeTicket } = await import("../../wire/move-guest.ts");
    const { moveVm } = await import("../../turn/move-vm.ts");
    using interrupts = listenForInterrupts();
    const name = vmName(args.vm);
    await using reached = await reach(flags, interrupts.first);
    const { node: from, vm } = findVm(name, reached.observed);
    const to =
      flags.to === undefined
        ? await chooseNode(
            this.screen,
            reached,
            { node: from, vm },
            {
              ...{ yes: flags.yes, mayStop: flags.mode === "cold", signal: interrupts.first },
            },
          )
        : nodeName(flags.to);
    const target = reached.observed.nodes.find((each) => each.name === to);
    if (target === undefined || to === from)
      throw new OdoroboError(
        "USAGE",
        to === from ? `${name} is on ${to} already` : `the manifests name no node ${to}`,
        {
          hint: `there is ${
            reached.observed.nodes
              .map((each) => each.name)
              .filter((each) => each !== from)
              .join(", ") || "no other"
          }`,
        },
      );
    if (target.reach === "silent")
      throw new OdoroboError("AGENT_UNREACHABLE", `${to} does not answer: ${target.error}`, {
        hint: "odorobo node list shows who does",
      });
    const ids = { expect: randomUUID(), migrate: randomUUID() };
    const [source, destination] = [reached.agents.of(from), reached.agents.of(to)];
    using _shown = showMove({ name, from, to, source, id: ids.migrate, stream: process.stderr });
    const calledOff = () => {
      this.screen.note(`calling the move of ${name} off …`);
      source
        .operate(name, { kind: "cancel-migration", id: randomUUID(), expect: null }, interrupts.second)
        .catch(() => {});
    };
    interrupts.first.addEventListener("abort", calledOff, { once: true });
    const { result, isRunning } = await moveVm(
      {
        ...{ vm: name, report: vm, fleet: null, ids, ticket: makeTicket(), bandwidthMiBps: flags.bandwidth ?? null },
        mode: (flags.mode ?? null) as "live" | "cold" | null,
        tell: (what) => this.screen.note(what),
        from: { node: from, agent: source },
        to: { node: to, agent: destination, address: destination.address },
      },
      interrupts.second,
    );
    this.screen.print(
      renderMoved({ name, from, to, result, isRunning, fleet: vm.fleet }, { colour: this.screen.colour }),
    );
    return result;
  }
}
