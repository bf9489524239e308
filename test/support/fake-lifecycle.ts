/** A Lifecycle that does as it is told: for tests of the edge, which decides nothing. Operations end when the test says so, or at once. */
import type { Duplex } from "node:stream";
import type { GuestCounters, RawAnswer, RawRequest } from "../../src/agent/hypervisor/hypervisor.ts";
import type { Lifecycle, SerialLineAt } from "../../src/agent/lifecycle/lifecycle.ts";
import type { EventLog } from "../../src/agent/lifecycle/parts/event-log.ts";
import type { LookAnswer, LookQuestion } from "../../src/model/boot/boot-needs.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import type { ImageFetch, ImageFetchRequest, NodeImage, Pruned } from "../../src/model/image-fetch.ts";
import { instant, type VmName } from "../../src/model/names.ts";
import type { NodeReport, VmReport, Whereabouts } from "../../src/model/observed-state.ts";
import type { Lease, LeaseRequest } from "../../src/wire/lease.ts";
import type { AgentEvent, OperationRequest, OperationResult, PutVmRequest } from "../../src/wire/operations.ts";
import { aNodeReport, aResult, aVmReport } from "./wire-builders.ts";

export class FakeLifecycle implements Lifecycle {
  reported: NodeReport;
  /** Everything that was asked to be done, in order. */
  readonly asked: { vm: VmName; request: PutVmRequest | OperationRequest }[] = [];
  /** Thrown at the next ask. */
  refusal: unknown = null;
  /** False: operations stay `running` until `finish`. */
  finishesAtOnce = true;
  readonly serials = new Map<string, Omit<SerialLineAt, "absence"> & Partial<SerialLineAt>>();
  readonly counted = new Map<string, GuestCounters>();
  /** Calls of hypervisors' own APIs, in order. */
  readonly rawAsked: { vm: VmName; request: RawRequest }[] = [];
  /** What a hypervisor's own API answers. */
  rawAnswer: RawAnswer = { status: 204, contentType: null, body: new Uint8Array() };
  readonly events = new FakeEvents();
  readonly #results = new Map<string, OperationResult>();
  readonly #waiting = new Map<string, () => void>();

  constructor(node = "n1", vms: readonly VmReport[] = [aVmReport("web-1")]) {
    this.reported = aNodeReport(node, { vms });
  }

  async admit(): Promise<void> {}

  async report(): Promise<NodeReport> {
    if (this.refusal !== null) throw this.refusal;
    return this.reported;
  }

  known(): NodeReport {
    return this.reported;
  }

  async vm(name: VmName): Promise<VmReport> {
    const found = this.reported.vms.find((vm) => vm.name === name);
    if (found === undefined) throw new OdoroboError("NOT_FOUND", `there is no VM ${name} on n1`);
    return found;
  }

  putVm = (name: VmName, request: PutVmRequest, signal: AbortSignal) => this.#do(name, request, signal);
  operate = (name: VmName, request: OperationRequest, signal: AbortSignal) => this.#do(name, request, signal);

  /** Who brought a guest, as `vm/channel`. */
  readonly letIns: string[] = [];

  letIn(name: VmName, channel: string): (stream: Duplex) => void {
    if (this.refusal !== null) throw this.refusal;
    this.letIns.push(`${name}/${channel}`);
    return (stream) => stream.pipe(stream);
  }

  readonly images = {
    fetch: async ({ digest }: ImageFetchRequest): Promise<ImageFetch> => ({
      ...{ state: "ready", digest, bytes: 1, totalBytes: 1, bytesPerSecond: null, noop: true, error: null },
    }),
    list: async (): Promise<readonly NodeImage[]> => [],
    prune: async (): Promise<Pruned> => ({ removed: [], kept: [] }),
  };

  /** Paths and bridges that are there. */
  readonly there = new Set<string>();

  async lookFor(questions: readonly (LookQuestion | null)[]): Promise<readonly (LookAnswer | null)[]> {
    return questions.map((question) => {
      if (question === null) return null;
      const name =
        question.kind === "network"
          ? question.bridge
          : question.kind === "bridge"
            ? question.name
            : question.kind === "fetch"
              ? question.image
              : question.path;
      return this.there.has(name) ? { found: true } : { found: false, problem: `${name} is not there` };
    });
  }

  async lease(fleet: string, { holder, by }: LeaseRequest): Promise<Lease> {
    return { fleet, holder, by, since: instant("2026-01-01T12:00:00.000Z") };
  }

  async tellWhereabouts(told: Whereabouts): Promise<void> {
    this.reported = { ...this.reported, whereabouts: [told] };
  }

  operation(id: string): OperationResult | null {
    return this.#results.get(id) ?? null;
  }

  finish(id: string, over: Partial<OperationResult> = {}): void {
    const begun = this.#results.get(id);
    if (begun === undefined) throw new Error(`nobody asked for ${id}`);
    this.#results.set(id, { ...begun, outcome: "done", ...over });
    this.#waiting.get(id)?.();
    this.events.tell("operation", `${id} ended`);
  }

  async serial(name: VmName) {
    const found = this.serials.get(name);
    if (found === undefined) throw new OdoroboError("NOT_FOUND", `there is no VM ${name} on n1`);
    return { absence: null, ...found };
  }

  async counters(name: VmName): Promise<GuestCounters> {
    if (this.refusal !== null) throw this.refusal;
    await this.vm(name);
    return this.counted.get(name) ?? {};
  }

  async raw(name: VmName, request: RawRequest): Promise<RawAnswer> {
    if (this.refusal !== null) throw this.refusal;
    await this.vm(name);
    this.rawAsked.push({ vm: name, request });
    return this.rawAnswer;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #do(vm: VmName, request: PutVmRequest | OperationRequest, signal: AbortSignal): Promise<OperationResult> {
    if (this.refusal !== null) throw this.refusal;
    const known = this.#results.get(request.id);
    if (known !== undefined && known.outcome !== "running") return known;
    this.asked.push({ vm, request });
    this.#results.set(request.id, aResult(vm, request.id, { outcome: this.finishesAtOnce ? "done" : "running" }));
    if (!this.finishesAtOnce) {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(request.id, resolve);
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    }
    return this.#results.get(request.id)!;
  }
}

export class FakeEvents implements EventLog {
  readonly #kept: AgentEvent[] = [];
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  #sequence = 0;

  get listeners(): number {
    return this.#listeners.size;
  }

  tell(kind: AgentEvent["kind"], message: string, vm: AgentEvent["vm"] = null): void {
    this.#sequence++;
    const event: AgentEvent = {
      sequence: this.#sequence,
      at: instant("2026-01-01T12:00:00.000Z"),
      kind,
      vm,
      message,
    };
    this.#kept.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  forget(count: number): void {
    this.#kept.splice(0, count);
  }

  since(sequence: number) {
    const oldest = this.#kept[0]?.sequence ?? this.#sequence + 1;
    return { events: this.#kept.filter((event) => event.sequence > sequence), complete: sequence + 1 >= oldest };
  }

  subscribe(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
