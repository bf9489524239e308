/** Series that name VMs: only where somebody asked for them, and never more than a Prometheus takes without noticing. */
import { Gauge, type Registry } from "prom-client";
import type { VmReport } from "../../model/observed-state.ts";

/** By name. With six series each that is what some small exporters have by themselves. */
export const MAX_VMS = 1_000;
const MIB = 2 ** 20;

export class VmSeries {
  readonly #all: readonly Gauge[];
  readonly #leftOut: Gauge;
  readonly #show: (vm: VmReport) => void;

  constructor(registry: Registry) {
    const gauge = (name: string, help: string, ...more: readonly string[]) =>
      new Gauge({ name, help, labelNames: ["vm", ...more], registers: [registry] });
    const phase = gauge("odorobo_vm_phase", "The phase that each VM is in; always 1.", "phase");
    const since = gauge("odorobo_vm_phase_since_seconds", "Since when, in seconds since 1970.");
    const cpus = gauge("odorobo_vm_cpus", "CPUs that its spec gives it.");
    const memory = gauge("odorobo_vm_memory_bytes", "Memory that its spec gives it.");
    const drift = gauge("odorobo_vm_drift_fields", "Fields in which it runs otherwise than it was applied.");
    const restarts = gauge("odorobo_vm_restart_attempts", "Starts in a row that did not last.");
    this.#all = [phase, since, cpus, memory, drift, restarts];
    this.#leftOut = new Gauge({
      name: "odorobo_vm_series_left_out",
      help: `VMs beyond the first ${MAX_VMS}, of which there are no series.`,
      registers: [registry],
    });
    this.#show = (each) => {
      const { name: vm } = each;
      phase.set({ vm, phase: each.phase }, 1);
      since.set({ vm }, Date.parse(each.since) / 1_000);
      cpus.set({ vm }, each.spec.cpus.count);
      memory.set({ vm }, each.spec.memory.sizeMiB * MIB);
      drift.set({ vm }, each.drift.length);
      restarts.set({ vm }, each.restart?.attempts ?? 0);
    };
  }

  /** Instead of those that were shown before. `vms`: sorted by name. */
  show(vms: readonly VmReport[]): void {
    for (const gauge of this.#all) gauge.reset();
    for (const vm of vms.slice(0, MAX_VMS)) this.#show(vm);
    this.#leftOut.set(Math.max(0, vms.length - MAX_VMS));
  }
}
