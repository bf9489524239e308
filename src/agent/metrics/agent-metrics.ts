/**
 * What Prometheus is told of one agent: counted as it happens (`AgentTally`), and looked up when it is asked for.
 *
 *   lifecycle, http → tally.ts ─► [agent-metrics.ts] ─► GET /metrics
 *
 * Labels hold words of closed sets only, so the number of series does not grow; VMs by name only where that was asked for. No labels name
 * callers, tokens, paths or addresses.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { heldOn } from "../../model/capacity.ts";
import type { ErrorCode } from "../../model/errors.ts";
import type { NodeReport } from "../../model/observed-state.ts";
import { addProcessMetrics } from "../../platform/process-metrics.ts";
import type { OperationKind } from "../../wire/operations.ts";
import type { AgentTally, GuestEnd } from "../tally.ts";
import { VmSeries } from "./vm-series.ts";

/** From a record that is written to a move of a large guest. */
const OPERATION_SECONDS = [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 180, 600, 1800];
const PHASES = ["stopped", "starting", "running", "paused", "stopping", "crashed"] as const;
const ENDS: readonly GuestEnd[] = ["power-off", "panic", "crash", "oom-kill"];
/** Others are of no use to anybody, and anybody may think them up. */
const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]);
const MIB = 2 ** 20;

export interface AgentMetricsOptions {
  readonly nodeName: string;
  readonly version: string;
  /** Series for each VM, too. */
  readonly perVm: boolean;
}

export class AgentMetrics implements AgentTally {
  readonly #registry = new Registry();
  readonly #vms: VmSeries | null;
  readonly #options: AgentMetricsOptions;

  readonly #operations = this.#counter("odorobo_agent_operations_total", "Operations that ended.", "kind", "outcome");
  readonly #failures = this.#counter("odorobo_agent_operation_failures_total", "Those that failed.", "kind", "code");
  readonly #seconds = new Histogram({
    name: "odorobo_agent_operation_duration_seconds",
    help: "How long operations took that were begun, done or failed.",
    labelNames: ["kind"],
    buckets: OPERATION_SECONDS,
    registers: [this.#registry],
  });
  readonly #ends = this.#counter("odorobo_agent_guest_ends_total", "Guests that ended by themselves.", "how");
  readonly #restarts = this.#counter(
    "odorobo_agent_guest_restarts_total",
    "Starts of the agent's own idea.",
    "outcome",
  );
  readonly #requests = this.#counter("odorobo_agent_http_requests_total", "Answered requests.", "method", "status");
  readonly #refusals = this.#counter(
    "odorobo_agent_refusals_total",
    "Callers who were not let in, or not to that.",
    "code",
  );
  readonly #consoles = this.#gauge("odorobo_agent_consoles_open", "Consoles that people look at now.");
  readonly #consolesOpened = this.#counter("odorobo_agent_consoles_opened_total", "Consoles that were opened.");

  readonly #info = this.#gauge("odorobo_agent_info", "Who it is; always 1.", "node", "version", "supervisor");
  readonly #hypervisors = this.#gauge(
    ...(["odorobo_node_hypervisor_info", "Hypervisors that are here; always 1.", "hypervisor"] as const),
    ...(["version", "accelerator"] as const),
  );
  readonly #phases = this.#gauge("odorobo_node_vms", "VMs that are here, by phase.", "phase");
  readonly #unreadable = this.#gauge("odorobo_node_vms_unreadable", "VMs whose record does not explain what is there.");
  readonly #deleted = this.#gauge("odorobo_node_vms_deleted", "Deleted VMs whose disks are kept.");
  readonly #drifted = this.#gauge("odorobo_node_vms_drifted", "VMs that run otherwise than they were applied.");
  readonly #givenUp = this.#gauge("odorobo_node_vms_given_up", "VMs that the agent starts no more by itself.");
  readonly #stalled = this.#gauge("odorobo_node_vms_stalled", "VMs that stand still because of a disk.");
  readonly #unready = this.#gauge("odorobo_node_vms_unready", "VMs that run and whose probe says no.");
  readonly #unfinished = this.#gauge(
    "odorobo_agent_operations_unfinished",
    "Operations that were begun and have not ended.",
  );
  readonly #cpus = this.#gauge("odorobo_node_cpus", "CPUs that this node offers to guests.");
  readonly #cpusUsed = this.#gauge("odorobo_node_cpus_used", "CPUs of it that guests hold.");
  readonly #memory = this.#gauge("odorobo_node_memory_bytes", "Memory that this node offers to guests.");
  readonly #memoryUsed = this.#gauge("odorobo_node_memory_used_bytes", "Memory of it that guests hold.");

  constructor(options: AgentMetricsOptions) {
    this.#options = options;
    this.#vms = options.perVm ? new VmSeries(this.#registry) : null;
    // What has not happened yet is 0, so that the first time is an increase.
    for (const how of ENDS) this.#ends.inc({ how }, 0);
    for (const outcome of ["done", "failed"]) this.#restarts.inc({ outcome }, 0);
    for (const code of ["UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED"]) this.#refusals.inc({ code }, 0);
    addProcessMetrics(this.#registry);
  }

  operationEnded(kind: OperationKind, code: ErrorCode | null, seconds: number): void {
    this.#operations.inc({ kind, outcome: code === null ? "done" : "failed" });
    if (code !== null) this.#failures.inc({ kind, code });
    this.#seconds.observe({ kind }, seconds);
  }
  guestEnded(how: GuestEnd): void {
    this.#ends.inc({ how });
  }
  guestRestarted(isDone: boolean): void {
    this.#restarts.inc({ outcome: isDone ? "done" : "failed" });
  }
  requestAnswered(method: string, status: number, refusedAs: ErrorCode | null): void {
    this.#requests.inc({ method: METHODS.has(method) ? method : "other", status: String(status) });
    if (refusedAs !== null) this.#refusals.inc({ code: refusedAs });
  }
  consoleOpened(): void {
    this.#consoles.inc();
    this.#consolesOpened.inc();
  }
  consoleClosed(): void {
    this.#consoles.dec();
  }
  consoleRefused(code: ErrorCode): void {
    this.#refusals.inc({ code });
  }

  /** In Prometheus's text format. `report`: what the agent knows, without asking its guests. */
  async render(report: NodeReport): Promise<string> {
    const { nodeName, version } = this.#options;
    this.#info.reset();
    this.#info.set({ node: nodeName, version, supervisor: report.supervisor ?? "" }, 1);
    this.#hypervisors.reset();
    for (const { kind, version: release, accelerator = "" } of report.hypervisors)
      this.#hypervisors.set({ hypervisor: kind, version: release, accelerator }, 1);

    const { vms } = report;
    const count = (is: (vm: NodeReport["vms"][number]) => boolean) => vms.filter(is).length;
    for (const phase of PHASES)
      this.#phases.set(
        { phase },
        count((vm) => vm.phase === phase),
      );
    this.#unreadable.set((report.unreadable?.length ?? 0) + (report.illegible ?? 0));
    this.#deleted.set(report.tombstones.length);
    this.#drifted.set(count(({ drift }) => drift.length > 0));
    this.#givenUp.set(count(({ restart }) => restart?.givenUp === true));
    this.#stalled.set(count(({ stalled }) => stalled !== undefined));
    this.#unready.set(count(({ phase, ready }) => phase === "running" && ready === false));
    this.#unfinished.set(report.unfinished.length);
    const held = heldOn(report);
    this.#cpus.set(report.capacity.cpus);
    this.#cpusUsed.set(held.cpus);
    this.#memory.set(report.capacity.memoryMiB * MIB);
    this.#memoryUsed.set(held.memoryMiB * MIB);
    this.#vms?.show(vms);
    return await this.#registry.metrics();
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
  #gauge(name: string, help: string, ...labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }
}
