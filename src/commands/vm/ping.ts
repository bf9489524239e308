import { OdoroboError } from "../../model/errors.ts";
import { vmName } from "../../model/names.ts";
import type { VmReport } from "../../model/observed-state.ts";
import { systemClock } from "../../platform/clock.ts";
import { renderPing } from "../../report/by-hand-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmPing extends OdoroboCommand {
  static override summary = "ask whether a guest's hypervisor answers";
  static override description =
    "Its agent asks it now; the guest itself is not asked. Exits 1 when the guest is off or its hypervisor does not answer.";
  static override args = vmArgs;
  static override flags = nodesFlags;

  override async run(): Promise<VmReport> {
    const { args, flags } = await this.parse(VmPing);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { findGuest } = await import("../../turn/find-vm.ts");
    const { node, vm } = findGuest(vmName(args.vm), reached.observed);
    const begun = systemClock.monotonicMs();
    const now = await reached.agents.of(node).vm(vm.name, interrupts.first);
    refuseSilence(now);
    this.screen.print(renderPing(now, node, systemClock.monotonicMs() - begun, { colour: this.screen.colour }));
    return now;
  }
}

/** Throws WRONG_PHASE for a guest that is off, HYPERVISOR_UNAVAILABLE for one that cannot be asked. */
function refuseSilence({ name, phase, live, reason }: VmReport): void {
  if (live !== null) return;
  const why = reason === null ? "" : `: ${reason}`;
  if (phase === "running" || phase === "paused")
    throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `the hypervisor of ${name} does not answer${why}`, {
      hint: `odorobo vm logs ${name} shows what its guest said last`,
    });
  throw new OdoroboError("WRONG_PHASE", `${name} is ${phase}${why}`, {
    hint: phase === "starting" || phase === "stopping" ? `odorobo vm info ${name}` : `odorobo vm boot ${name}`,
  });
}
