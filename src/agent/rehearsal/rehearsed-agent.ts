/**
 * An agent in memory: the agent's own rules (`decide`), one queue per VM, every act remembered by its id, and every
 * misfortune on demand. For simulations, and tests of whoever talks to agents; `rehearsed-fleet.ts` keeps several and watches the promises.
 */

import { type ErrorBody, OdoroboError } from "../../model/errors.ts";
import { byName, type NodeName, type VmName } from "../../model/names.ts";
import type { Capacity, LiveConfig, NodeReport } from "../../model/observed-state.ts";
import { referencedFiles, type VmSpec } from "../../model/vm-spec.ts";
import type { Clock } from "../../platform/clock.ts";
import type { AgentApi } from "../../wire/agent-api.ts";
import type { OperationKind, OperationRequest, OperationResult, PutVmRequest } from "../../wire/operations.ts";
import { decide } from "../lifecycle/operations/decide.ts";
import type { Request } from "../lifecycle/parts/decision.ts";
import {
  carryOut,
  fromReport,
  fromTombstone,
  happened,
  type RehearsedVm,
  remember,
  toTombstone,
  toVmReport,
} from "./rehearsed-vm.ts";

export interface Call {
  readonly node: NodeName;
  readonly vm: VmName;
  readonly id: string;
  readonly request: Request;
  /** How often this id has been sent, this time included. */
  readonly times: number;
}

/** What becomes of one call. Nothing said: it is carried out at once and answered. */
export interface Behaviour {
  /** The request does not arrive: AGENT_UNREACHABLE, nothing is done. */
  readonly unreachable?: boolean;
  /** Answered with this error, nothing is done. */
  readonly refuse?: OdoroboError;
  /** How long the act takes: until this promise is kept. */
  readonly during?: Promise<unknown>;
  /** The act ends badly, having changed nothing but the serial. */
  readonly fail?: ErrorBody;
  /** It is carried out, and then the connection is cut. */
  readonly losesAnswer?: boolean;
}

/** Told of every act, at its begin and when it has ended. */
export interface ActWatcher {
  begun(node: NodeName, vm: VmName, kind: OperationKind): void;
  ended(node: NodeName, vm: VmName, kind: OperationKind, succeeded: boolean): void;
  /** The guest is off, and no act did it. */
  died(node: NodeName, vm: VmName): void;
  /** The guest runs on another node from now on. */
  moved(from: NodeName, to: NodeName, vm: VmName): void;
}

export class RehearsedAgent implements AgentApi {
  readonly node: NodeName;
  /** While true nothing arrives and nothing is answered; what was begun is finished all the same. */
  silent = false;
  /** Asked about each call that arrives. */
  onCall: (call: Call) => Behaviour | undefined = () => undefined;
  /** Every call, as it was sent, whether it arrived or not. */
  readonly calls: Call[] = [];
  readonly #template: NodeReport;
  readonly #clock: Clock;
  readonly #watcher: ActWatcher;
  readonly #vms = new Map<VmName, RehearsedVm>();
  readonly #queues = new Map<VmName, Promise<unknown>>();
  readonly #answers = new Map<string, Promise<OperationResult>>();
  readonly #times = new Map<string, number>();
  /** Room that is kept for guests to come. */
  readonly #expected = new Map<VmName, VmSpec>();
  /** Where guests can be sent. */
  peers: (node: NodeName) => RehearsedAgent = (node) => {
    throw new Error(`${node} is no agent that ${this.node} knows`);
  };
  readonly #busy = new Map<VmName, { readonly id: string; readonly kind: OperationKind }>();

  /** Begins as the report says. */
  constructor(
    report: NodeReport,
    clock: Clock,
    watcher: ActWatcher = { begun() {}, ended() {}, died() {}, moved() {} },
  ) {
    this.node = report.node.name;
    this.#template = report;
    this.#clock = clock;
    this.#watcher = watcher;
    for (const vm of report.vms) {
      this.#vms.set(vm.name, fromReport(vm));
      if (vm.phase === "starting") this.#busy.set(vm.name, { id: "earlier", kind: "boot" });
      if (vm.phase === "stopping") this.#busy.set(vm.name, { id: "earlier", kind: "shutdown" });
    }
    for (const tombstone of report.tombstones) this.#vms.set(tombstone.name, fromTombstone(tombstone));
  }

  async report(signal: AbortSignal): Promise<NodeReport> {
    signal.throwIfAborted();
    if (this.silent) throw this.#unreachable();
    return this.look();
  }

  putVm(vm: VmName, request: PutVmRequest, signal: AbortSignal): Promise<OperationResult> {
    return this.#ask(vm, { kind: "put", ...request }, signal);
  }

  operate(vm: VmName, request: OperationRequest, signal: AbortSignal): Promise<OperationResult> {
    return this.#ask(vm, request, signal);
  }

  async close(): Promise<void> {}

  /** The report as the test may see it, also while the agent is silent. */
  look(): NodeReport {
    const names = [...this.#vms.keys()].sort(byName);
    const vms = names.map((name) => this.#vms.get(name) as RehearsedVm);
    return {
      ...this.#template,
      at: this.#clock.now(),
      vms: vms.map((vm) => toVmReport(vm, this.#phaseWhileBusy(vm.record.name))).filter((vm) => vm !== null),
      tombstones: vms.map(toTombstone).filter((tombstone) => tombstone !== null),
      unfinished: [...this.#busy].map(([vm, { id, kind }]) => ({ id, vm, kind, begunAt: this.#clock.now() })),
    };
  }

  /** What the running guests hold. */
  held(): Capacity {
    let cpus = 0;
    let memoryMiB = 0;
    for (const { live } of this.#vms.values()) {
      cpus += live?.cpus.count ?? 0;
      memoryMiB += live?.memory.sizeMiB ?? 0;
    }
    for (const spec of this.#expected.values()) {
      cpus += spec.cpus.count;
      memoryMiB += spec.memory.sizeMiB;
    }
    return { cpus, memoryMiB };
  }

  crash(name: VmName, reason = "the process was killed"): void {
    this.#happens(name, (vm) => happened(vm, { phase: "crashed", endedBy: "failure", reason }, null));
  }

  powerOff(name: VmName): void {
    this.#happens(name, (vm) => happened(vm, { phase: "stopped", endedBy: "guest" }, null));
  }

  /** Somebody changes the running guest behind odorobo's back. */
  tamper(name: VmName, live: Partial<LiveConfig>): void {
    this.#happens(name, (vm) => happened(vm, {}, { ...(vm.live as LiveConfig), ...live }));
  }

  #happens(name: VmName, change: (vm: RehearsedVm) => RehearsedVm): void {
    const vm = this.#vms.get(name);
    if (!vm) throw new Error(`there is no ${name} on ${this.node}`);
    const after = change(vm);
    this.#vms.set(name, after);
    if (after.live === null) this.#watcher.died(this.node, name);
  }

  async #ask(vm: VmName, request: Request, signal: AbortSignal): Promise<OperationResult> {
    const times = 1 + (this.#times.get(request.id) ?? 0);
    this.#times.set(request.id, times);
    const call: Call = { node: this.node, vm, id: request.id, request, times };
    this.calls.push(call);
    signal.throwIfAborted();
    const behaviour = this.onCall(call) ?? {};
    if (this.silent || behaviour.unreachable) throw this.#unreachable();
    if (behaviour.refuse) throw behaviour.refuse;
    const result = await unlessAborted(this.#answer(vm, request, behaviour), signal);
    if (this.silent || behaviour.losesAnswer) throw this.#unreachable();
    return result;
  }

  /** The same id while it is under way waits for the same act; afterwards `decide` finds it in the record. */
  #answer(vm: VmName, request: Request, behaviour: Behaviour): Promise<OperationResult> {
    const known = this.#answers.get(request.id);
    if (known) return known;
    const turn = (this.#queues.get(vm) ?? Promise.resolve()).then(() => this.#carryOut(vm, request, behaviour));
    const forget = () => this.#answers.delete(request.id);
    this.#answers.set(request.id, turn);
    this.#queues.set(vm, turn.then(forget, forget));
    return turn;
  }

  async #carryOut(name: VmName, request: Request, behaviour: Behaviour): Promise<OperationResult> {
    const decision = decide(name, request, this.#vms.get(name)?.record ?? null);
    if (decision.decision === "refuse")
      throw new OdoroboError(decision.code, decision.message, { hint: decision.hint });
    if (decision.decision === "remembered") return this.#result(name, decision.operation, false);
    const { kind } = decision;
    if (decision.decision === "no-op") return this.#result(name, { id: request.id, kind, error: null }, true);
    if (request.kind === "put") requireFiles(request);

    this.#busy.set(name, { id: request.id, kind });
    this.#watcher.begun(this.node, name, kind);
    await behaviour.during;
    const error = behaviour.fail ?? null;
    const before = this.#vms.get(name) ?? null;
    // One that comes switched off takes no room by coming.
    if (request.kind === "expect-guest" && error === null && request.mode !== "cold")
      this.#expected.set(name, request.spec);
    if (request.kind === "migrate") this.peers(request.to.node).#expected.delete(name);
    const hasMoved = request.kind === "migrate" && error === null && before !== null;
    if (hasMoved) this.peers(request.to.node).#arrive(before);
    const after = hasMoved ? null : error === null ? carryOut(name, request, before, this.#clock.now()) : before;
    if (after === null) this.#vms.delete(name);
    else this.#vms.set(name, remember(after, { id: request.id, kind, error }));
    this.#busy.delete(name);
    this.#watcher.ended(this.node, name, kind, error === null);
    if (hasMoved && before.live !== null) this.#watcher.moved(this.node, request.to.node, name);
    return this.#result(name, { id: request.id, kind, error }, false);
  }

  #arrive(vm: RehearsedVm): void {
    this.#vms.set(vm.record.name, happened(vm, {}, vm.live));
  }

  #result(
    vm: VmName,
    done: { id: string; kind: OperationKind; error: ErrorBody | null },
    noop: boolean,
  ): OperationResult {
    const now = this.#vms.get(vm);
    return { ...done, vm, outcome: done.error === null ? "done" : "failed", noop, after: now ? toVmReport(now) : null };
  }

  #phaseWhileBusy(vm: VmName): "starting" | "stopping" | null {
    const kind = this.#busy.get(vm)?.kind;
    if (kind === "boot") return "starting";
    return kind === "shutdown" || kind === "delete" || kind === "reboot" ? "stopping" : null;
  }

  #unreachable(): OdoroboError {
    return new OdoroboError("AGENT_UNREACHABLE", `the agent of ${this.node} did not answer`, {
      hint: "is it running?",
    });
  }
}

function requireFiles({ spec, files }: PutVmRequest): void {
  const wanted = [...referencedFiles(spec)].sort(byName).join();
  const given = Object.keys(files).sort(byName).join();
  if (wanted !== given)
    throw new OdoroboError("BAD_REQUEST", `the texts given are ${given || "none"}, wanted: ${wanted || "none"}`);
}

/** The act goes on; only the waiting ends. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(new DOMException("the call was aborted", "AbortError"));
  signal.addEventListener("abort", abort, { once: true });
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener("abort", abort));
}
