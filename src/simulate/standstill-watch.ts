/** How long each guest stood still: seen by what its agents were asked for, and when they had done it. */
import type { VmName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { Clock } from "../platform/clock.ts";
import type { Standstill } from "../report/what-if/simulation-document.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import type { OperationRequest, OperationResult } from "../wire/operations.ts";
import type { ActDurations } from "./act-durations.ts";

export class StandstillWatch {
  readonly #clock: Clock;
  readonly #durations: ActDurations;
  /** Guests that ran when it began: of these it counts. */
  readonly #ran: ReadonlySet<VmName>;
  readonly #still = new Map<VmName, number>();
  readonly #since = new Map<VmName, number>();
  /** An act that is asked for again by its id is the same. */
  readonly #told = new Set<string>();

  constructor(observed: ObservedState, clock: Clock, durations: ActDurations) {
    this.#clock = clock;
    this.#durations = durations;
    const running = observed.nodes.flatMap((node) =>
      node.reach === "answered" ? node.report.vms.filter(({ phase }) => phase === "running") : [],
    );
    this.#ran = new Set(running.map(({ name }) => name));
  }

  /** The same agent, looked at. */
  watch(agent: AgentApi): AgentApi {
    return {
      report: (signal) => agent.report(signal),
      putVm: (vm, request, signal) => agent.putVm(vm, request, signal),
      operate: async (vm, request, signal) => {
        const begunMs = this.#clock.monotonicMs();
        const result = await agent.operate(vm, request, signal);
        this.#note(vm, request, result, begunMs);
        return result;
      },
      close: () => agent.close(),
    };
  }

  /** The longest first. */
  result(): Standstill[] {
    const now = this.#clock.monotonicMs();
    for (const [vm, since] of this.#since) this.#add(vm, now - since);
    return [...this.#still]
      .map(([vm, ms]) => ({ vm, milliseconds: Math.round(ms), isOff: this.#since.has(vm) }))
      .filter(({ milliseconds, isOff }) => milliseconds > 0 || isOff)
      .sort((a, b) => b.milliseconds - a.milliseconds || (a.vm < b.vm ? -1 : 1));
  }

  #note(vm: VmName, request: OperationRequest, { outcome, noop }: OperationResult, begunMs: number): void {
    if (outcome !== "done" || noop || !this.#ran.has(vm) || this.#told.has(request.id)) return;
    this.#told.add(request.id);
    const now = this.#clock.monotonicMs();
    const since = this.#since.get(vm);
    if (request.kind === "shutdown" || request.kind === "pause" || request.kind === "delete")
      this.#since.set(vm, since ?? begunMs);
    if ((request.kind === "boot" || request.kind === "resume") && since !== undefined) {
      this.#since.delete(vm);
      this.#add(vm, now - since);
    }
    if (since !== undefined) return;
    if (request.kind === "reboot") this.#add(vm, now - begunMs);
    if (request.kind === "migrate")
      this.#add(vm, request.mode === "cold" ? now - begunMs : this.#durations.downtimeMsOf(request.id));
  }

  #add(vm: VmName, milliseconds: number): void {
    this.#still.set(vm, (this.#still.get(vm) ?? 0) + milliseconds);
  }
}
