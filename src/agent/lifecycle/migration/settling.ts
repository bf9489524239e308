/**
 * A move whose end is not known: waited for by the operation, and when that has ended, and after a restart of the agent, by the agent itself.
 *
 *   migrate.ts → [settling.ts] → settle.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../../model/errors.ts";
import { referencedFiles } from "../../../model/vm-spec.ts";
import type { Departure, UnfinishedOperation, VmRecord } from "../../store/vm-record.ts";
import { watchGuest } from "../guest/guest-watch.ts";
import { noteEvent } from "../guest/note-event.ts";
import { type Act, keep, type Outcome } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { OtherNode } from "./other-node.ts";
import { callOff, type Settled, settle } from "./settle.ts";

/** How long the operation waits for the other node's word before it ends without one. */
const SETTLE_MS = 60_000;
const FAREWELL_MS = 5_000;

export interface SettlingPace {
  /** How often a node that has not answered is asked again. */
  readonly settleEveryMs?: number;
  /** How long an operation waits for its answer. */
  readonly settleMs?: number;
}

/** A connection that is refused costs nothing; a guest that stands still for want of an answer costs much. */
const SETTLE_EVERY_MS = 2_000;

export class Settling {
  readonly #parts: Parts;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #everyMs: number;
  readonly withinMs: number;

  constructor(parts: Parts, { settleEveryMs = SETTLE_EVERY_MS, settleMs = SETTLE_MS }: SettlingPace) {
    this.#parts = parts;
    this.#everyMs = settleEveryMs;
    this.withinMs = settleMs;
  }

  /** Until it is settled: at each look after everything else that the VM has to do. */
  watch(slot: Slot): void {
    if (this.#timers.has(slot.name)) return;
    let isAsking = false;
    const timer = setInterval(() => {
      if (isAsking || slot.inFlight.size > 0) return;
      isAsking = true;
      slot
        .enqueue(() => this.#look(slot))
        .catch((error: unknown) => {
          if (!this.#parts.stopping.aborted)
            this.#parts.logger.error({ err: error, vm: slot.name }, "could not settle where a guest is");
        })
        .finally(() => {
          isAsking = false;
        });
    }, this.#everyMs).unref();
    this.#timers.set(slot.name, timer);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearInterval(timer);
  }

  async #look(slot: Slot): Promise<void> {
    const vm = slot.stored;
    if (this.#parts.stopping.aborted) return;
    if (vm?.state === "present" && vm.move?.role !== "source" && vm.calledOff !== undefined)
      return this.#tellCalledOff(slot, vm, vm.calledOff);
    if (vm?.state !== "present" || vm.move?.role !== "source") {
      clearInterval(this.#timers.get(slot.name));
      this.#timers.delete(slot.name);
      return;
    }
    using other = await OtherNode.of(this.#parts, slot, vm.move);
    const settled = await settle(this.#parts, slot, other, this.#parts.stopping);
    if (settled === null) return;
    const { move: _, ...rest } = settled.stored;
    const message =
      settled.home === "there"
        ? `${vm.name} runs on ${vm.move.to.node}`
        : `${vm.name} stays: it was not moved to ${vm.move.to.node} (${settled.why})`;
    await noteEvent(this.#parts, slot, vm, { ...rest, serial: vm.serial, move: null }, { kind: "phase", message });
    if (settled.home === "there") sayFarewell(this.#parts, slot, vm.move);
    else watchAgain(this.#parts, slot);
  }

  /** One at each look: that node keeps room for it until it knows. */
  async #tellCalledOff(slot: Slot, vm: VmRecord, [first, ...others]: readonly Departure[]): Promise<void> {
    const { calledOff: _, ...rest } = vm;
    const left = (told: readonly Departure[]): VmRecord => (told.length === 0 ? rest : { ...rest, calledOff: told });
    if (first === undefined) return void (await keep(this.#parts, slot, left(others)));
    // Without its ticket nobody there would listen.
    const known = await OtherNode.of(this.#parts, slot, first).catch(() => null);
    if (known === null) return void (await keep(this.#parts, slot, left(others)));
    using other = known;
    const heard = await callOff(other, this.#parts.stopping);
    if (heard === "unheard") return void (await keep(this.#parts, slot, left([...others, first])));
    if (heard === "taken")
      this.#parts.logger.error({ vm: vm.name, node: first.to.node }, "a guest was let run on both nodes, by hand");
    await keep(this.#parts, slot, left(others));
    if (others.length === 0) await forgetTicket(this.#parts, slot);
  }
}

/** The rest of a move that an agent before this one had begun. */
export function restOfMigrate(parts: Parts, slot: Slot, settling: Settling, operation: UnfinishedOperation): Act {
  const begun = slot.stored as VmRecord;
  return {
    begin: begun,
    async run(signal) {
      const { move } = begun;
      // It was written down before anything else was: nothing had been begun.
      if (move?.role !== "source") return { stored: begun, error: cutShort(begun) };
      using other = await OtherNode.of(parts, slot, move);
      const settled = await settleWithin(parts, slot, other, settling.withinMs, signal);
      const tookMs = Date.parse(parts.clock.now()) - Date.parse(operation.begunAt);
      const outcome = outcomeOf(parts, slot, settled, null, { tookMs, heldMs: Math.max(0, tookMs) });
      if (settled === null || settled.stored.calledOff !== undefined) settling.watch(slot);
      if (settled?.home === "there") sayFarewell(parts, slot, settled.move);
      if (settled?.home === "here") void slot.enqueue(async () => watchAgain(parts, slot)).catch(() => {});
      return outcome;
    },
  };
}

const cutShort = ({ name }: VmRecord): OdoroboError =>
  new OdoroboError("OPERATION_INTERRUPTED", `the move of ${name} was cut short when the agent ended`, {
    hint: "it is where it was: try again",
  });

/** A guest that an agent before this one was moving is nobody's to look after until it is known to be ours. */
function watchAgain(parts: Parts, slot: Slot): void {
  const vm = slot.stored;
  if (slot.guest === null || vm?.state !== "present") return;
  watchGuest(parts, slot, slot.guest, { ready: vm.ready, logSizes: vm.guest?.logSizes ?? {} });
}

/** What an operation that moves a guest waits for. Null: nobody knows where it is yet. */
export async function settleWithin(
  parts: Parts,
  slot: Slot,
  other: OtherNode,
  milliseconds: number,
  signal: AbortSignal,
): Promise<Settled | null> {
  const until = performance.now() + milliseconds;
  for (let pauseMs = 50; ; pauseMs = Math.min(2_000, pauseMs * 2)) {
    const settled = await settle(parts, slot, other, signal);
    if (settled !== null || performance.now() > until) return settled;
    await sleep(pauseMs, undefined, { signal });
  }
}

/** `failure`: why it was called off; null: it was not, or an agent before this one knew. */
export function outcomeOf(
  parts: Parts,
  slot: Slot,
  settled: Settled | null,
  failure: OdoroboError | null,
  { tookMs, heldMs }: { readonly tookMs: number; readonly heldMs: number },
): Outcome {
  if (settled === null) {
    const vm = slot.stored as VmRecord;
    const { to, stage } = vm.move as Departure;
    const what =
      stage === "given"
        ? `${to.node} does not say whether ${vm.name} runs there`
        : `${vm.name} cannot be let run on here`;
    const error = new OdoroboError("MIGRATION_UNSETTLED", what, {
      cause: failure ?? undefined,
      hint: `the agent of ${parts.node.name} goes on trying; until ${to.node} answers the guest is started nowhere`,
    });
    return { stored: vm, error };
  }
  if (settled.home === "there") {
    const { sentBytes = 0, downtimeMs = null } = settled.move;
    // Until its hypervisor has sent it, and then until the other node says that it runs.
    const stoodStillMs = downtimeMs === null ? null : Math.round(downtimeMs + Math.max(0, heldMs));
    const migration = { seconds: Math.max(0, tookMs / 1000), sentBytes, downtimeMs: stoodStillMs };
    return { stored: settled.stored, error: null, detail: { migration } };
  }
  const error =
    failure ??
    new OdoroboError("MIGRATION_FAILED", `${slot.name} was not moved to ${settled.move.to.node}: ${settled.why}`, {
      hint: "try again: odorobo vm migrate",
    });
  return { stored: settled.stored, error };
}

/** Once the record says that nothing of it is here: then nobody will ask the other node again. */
export function sayFarewell(parts: Parts, slot: Slot, move: Departure): void {
  const afterwards = slot.enqueue(async () => {});
  void afterwards
    .then(async () => {
      const vm = slot.stored;
      if (parts.stopping.aborted || vm?.state !== "present" || vm.move) return;
      using other = await OtherNode.of(parts, slot, move);
      await other.ask("farewell", {}, AbortSignal.any([parts.stopping, AbortSignal.timeout(FAREWELL_MS)]));
    })
    .catch(() => {
      // It knows that the guest is its own: that nobody asks again is all that it misses.
    })
    .then(() => forgetTicket(parts, slot))
    .catch(() => {});
}

async function forgetTicket(parts: Parts, slot: Slot): Promise<void> {
  const vm = slot.stored;
  if (vm?.state === "present" && !vm.move && vm.calledOff === undefined)
    await parts.store.keepOnlyTexts(vm.name, [
      ...[vm.spec, vm.guest?.bootedSpec ?? vm.spec].flatMap(referencedFiles),
      // That node is asked once more, before what is left here goes.
      ...(vm.left === undefined ? [] : [vm.left.ticket]),
    ]);
}
