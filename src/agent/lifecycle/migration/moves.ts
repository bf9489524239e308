/**
 * The room's door: all that the rest of the lifecycle knows of moves between two agents.
 *
 *   submit.ts, service.ts, recovery/ → [moves.ts] → expect-guest.ts, migrate.ts, arrivals.ts, settling.ts
 */
import type { VmName } from "../../../model/names.ts";
import type { UnfinishedOperation, VmRecord } from "../../store/vm-record.ts";
import type { Act } from "../operations/run-operation.ts";
import type { Request } from "../parts/decision.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { type ArrivalPace, Arrivals, type LetIn } from "./arrivals.ts";
import { type ColdPace, isSendingCold, prepareColdMigrate, restOfColdMigrate } from "./cold/migrate-cold.ts";
import { prepareExpect } from "./expect-guest.ts";
import { releaseLeft } from "./left-behind.ts";
import { prepareMigrate } from "./migrate.ts";
import { refuseArrival } from "./refuse-arrival.ts";
import { restOfMigrate, Settling, type SettlingPace } from "./settling.ts";

export type MovePace = ArrivalPace & SettlingPace & ColdPace;

export class Moves {
  readonly #parts: Parts;
  readonly #arrivals: Arrivals;
  readonly #settling: Settling;
  readonly #pace: MovePace;

  constructor(parts: Parts, slots: ReadonlyMap<string, Slot>, pace: MovePace) {
    this.#parts = parts;
    this.#arrivals = new Arrivals(parts, slots, pace);
    this.#settling = new Settling(parts, pace);
    this.#pace = pace;
  }

  /** Null: it is none of ours. Rejects with what refuses it. */
  async prepare(slot: Slot, request: Request): Promise<Act | null> {
    const vm = slot.stored as VmRecord;
    if (request.kind === "expect-guest") return prepareExpect(this.#parts, slot, this.#arrivals, request);
    if (request.kind === "migrate" && request.mode === "cold")
      return prepareColdMigrate(this.#parts, slot, this.#settling, { vm, asked: request, pace: this.#pace });
    if (request.kind === "migrate") return prepareMigrate(this.#parts, slot, this.#settling, vm, request);
    if (vm?.state !== "present" || vm.move?.role !== "destination" || vm.move.stage === "taken") return null;
    if (request.kind === "shutdown" || request.kind === "delete") return this.#callOff(slot, vm);
    return request.kind === "resume" ? this.#takeByHand(slot, vm) : null;
  }

  /** What an agent before this one had begun: goes on under its own id. */
  restOf(slot: Slot, operation: UnfinishedOperation): Act {
    const vm = slot.stored as VmRecord;
    return isSendingCold(vm)
      ? restOfColdMigrate(this.#parts, slot, this.#settling, { begin: vm, operation, pace: this.#pace })
      : restOfMigrate(this.#parts, slot, this.#settling, operation);
  }

  /** Throws what `Arrivals.letIn` throws. */
  letIn(name: VmName, channel: string, ticket: string): LetIn {
    return this.#arrivals.letIn(name, channel, ticket);
  }

  /** In the VM's queue, at the start of the agent: of a VM that is on its way. `guest`: its process, if that runs. */
  async adopt(slot: Slot, vm: VmRecord, guest: Guest | null): Promise<void> {
    const { move } = vm;
    if (move?.role === "source") {
      slot.guest = guest;
      if (vm.unfinished === null) this.#settling.watch(slot);
      return;
    }
    if (move?.role !== "destination") return;
    if (this.#parts.verdicts.of(move.ticket) === "refused") {
      slot.guest = guest;
      await refuseArrival(this.#parts, slot, vm, "it was refused");
    } else if (move.stage === "expected") this.#arrivals.watchExpiry(slot);
    else if (move.mode === "cold") this.#arrivals.resume(slot, vm).resumeCold();
    else if (guest === null) await refuseArrival(this.#parts, slot, vm, "its process ended while the agent was away");
    else {
      slot.guest = guest;
      await this.#arrivals.resume(slot, vm).resume(guest);
    }
  }

  /** At the start of the agent: nodes that have not heard that a move was called off are told again. */
  carryOn(slots: Iterable<Slot>): void {
    for (const slot of slots)
      if (slot.stored?.state === "present" && slot.stored.calledOff !== undefined) this.#settling.watch(slot);
  }

  /** In the VM's queue, when what it left here has been kept for long enough. */
  releaseLeft(slot: Slot): Promise<void> {
    return releaseLeft(this.#parts, slot);
  }

  close(): void {
    this.#arrivals.close();
    this.#settling.close();
  }

  #callOff(slot: Slot, vm: VmRecord): Act {
    return {
      begin: vm,
      run: async () => {
        const session = this.#arrivals.session(vm);
        const stored =
          session === null
            ? await refuseArrival(this.#parts, slot, vm, "it is not waited for any more")
            : await session.callOff(vm, "it is not waited for any more");
        return { stored, error: null };
      },
    };
  }

  #takeByHand(slot: Slot, vm: VmRecord): Act {
    return {
      begin: vm,
      run: async () => {
        await this.#arrivals.session(vm)?.takeByHand(vm);
        return { stored: slot.stored as VmRecord, error: null };
      },
    };
  }
}
