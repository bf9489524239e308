/**
 * One guest that another agent brings: its control line, its pipes, and the process that takes it in.
 *
 *   expected ──prepare──► arriving ──(all of it is here)──► whole ──take──► taken
 *       └──────────────────────┴────── abandon, the process ends, ───┘
 *                                      the source stays away (not of `whole`) ──► refused
 *
 * What is asked may be asked again, by the same source after its restart, too.
 */
import type { Duplex } from "node:stream";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { Digest } from "../../../model/names.ts";
import { MoveLine, type MoveQuestion, type MoveQuestions, type TravellingVm } from "../../../wire/move-line.ts";
import type { Admission } from "../../hypervisor/hypervisor.ts";
import type { Arrival, StoredVm, VmRecord } from "../../store/vm-record.ts";
import { processWords } from "../guest/guest-event.ts";
import { untilAborted } from "../parts/deadline.ts";
import { describeExit, type Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import type { ReceivedDisks } from "./cold/receive-disks.ts";
import { prepareCold, standOnImagesHere, takeCold } from "./cold/take-in-cold.ts";
import { forgetTaken } from "./forget-taken.ts";
import { isHeld } from "./left-behind.ts";
import { refuseArrival } from "./refuse-arrival.ts";
import { noteWhole, prepareGuest, takeGuest } from "./take-in.ts";

export interface SessionOptions {
  readonly sourceAwayMs: number;
  /** Of a VM that comes off: what is there of it is of use for longer. */
  readonly coldAwayMs: number;
  readonly onEnd: () => void;
}

export class ArrivalSession {
  readonly #parts: Parts;
  readonly #slot: Slot;
  readonly #ticket: Digest;
  readonly #options: SessionOptions;
  readonly #ended = new AbortController();
  #line: MoveLine | null = null;
  #away: NodeJS.Timeout | null = null;
  #guest: Guest | null = null;
  #admission: Admission | null = null;
  /** Of a VM that comes off: instead of a process. */
  #received: ReceivedDisks | null = null;

  constructor(parts: Parts, slot: Slot, ticket: Digest, options: SessionOptions) {
    this.#parts = parts;
    this.#slot = slot;
    this.#ticket = ticket;
    this.#options = options;
  }

  /** The latest line counts: a source that was killed and comes back opens a new one. */
  takeLine(stream: Duplex): void {
    this.#line?.close();
    const line = new MoveLine(stream, {
      ...this.#parts.line,
      answer: (question, asked) => this.#answer(question, asked) as never,
    });
    this.#line = line;
    if (this.#away !== null) clearTimeout(this.#away);
    this.#away = null;
    void line.closed.then(() => {
      if (this.#line === line) this.#waitForSource();
    });
  }

  /** Throws WRONG_PHASE before the process is there, BAD_REQUEST for a channel that it does not have. */
  letIn(channel: string, keep: (stream: Duplex) => Duplex): (stream: Duplex) => void {
    if (this.#received !== null) return this.#received.letIn(channel, keep);
    const admission = this.#admission;
    if (admission === null)
      throw new OdoroboError("WRONG_PHASE", `nothing of ${this.#slot.name} can come in yet`, {
        hint: "its control channel comes first",
      });
    return (stream) => {
      try {
        admission.connect(channel, keep(stream));
      } catch (error) {
        this.#parts.logger.warn({ err: error, vm: this.#slot.name, channel }, "a guest's channel is not let in");
        stream.destroy();
      }
    };
  }

  /** At the start of an agent: the process of this arrival is there. In the VM's queue. */
  async resume(guest: Guest): Promise<void> {
    const vm = this.#slot.stored as VmRecord;
    const isWhole = this.#record()?.stage === "whole";
    try {
      this.#hold(guest, await guest.admit({ again: true, deadlineMs: RESUME_DEADLINE_MS }, this.#parts.stopping));
      if (!isWhole)
        await this.#admission?.whole(AbortSignal.any([this.#parts.stopping, AbortSignal.timeout(RESUME_DEADLINE_MS)]));
    } catch (error) {
      this.#parts.stopping.throwIfAborted();
      // It may be all that there is of the guest.
      if (isWhole) throw error;
      await this.#refuse(vm, `its agent was restarted while it arrived (${messageOf(error)})`);
      return;
    }
    if (!isWhole) await noteWhole(this.#parts, this.#slot, vm);
    this.#waitForSource();
  }

  /** Of a VM that comes off: its source goes on where it was. */
  resumeCold(): void {
    this.#waitForSource();
  }

  /** A person ends the waiting. In the VM's queue. */
  callOff(vm: VmRecord, why: string): Promise<StoredVm | null> {
    return this.#refuse(vm, why);
  }

  /** A person says that its source is off for good. In the VM's queue. */
  async takeByHand(vm: VmRecord): Promise<void> {
    await this.#take(vm);
  }

  close(): void {
    this.#ended.abort();
    if (this.#away !== null) clearTimeout(this.#away);
    this.#line?.close();
    this.#letGo();
  }

  async #answer<Q extends MoveQuestion>(question: Q, asked: MoveQuestions[Q]["asked"]): Promise<object> {
    const { stopping } = this.#parts;
    stopping.throwIfAborted();
    switch (question) {
      case "prepare":
        return this.#inTurn((vm) => this.#prepare(vm, asked as TravellingVm));
      case "disks-done":
        await this.#admissionOrThrow().releaseDisks(this.#signal());
        return {};
      case "disk-state": {
        const file = asked as MoveQuestions["disk-state"]["asked"];
        return { segments: await this.#receivedOrThrow().state(file, this.#signal()) };
      }
      case "whole": {
        const { disks } = asked as MoveQuestions["whole"]["asked"];
        if (disks !== undefined) {
          // Not in the queue: it takes as long as the files are large, and what is asked of this node meanwhile is to be answered.
          await this.#receivedOrThrow().verify(disks, this.#signal());
          return this.#inTurn((vm, move) => this.#noteColdWhole(vm, move));
        }
        await untilAborted(this.#admissionOrThrow().whole(this.#signal()), this.#signal());
        return this.#inTurn((vm, move) => this.#noteWhole(vm, move));
      }
      case "take":
        return this.#inTurn((vm, move) => this.#answerTake(vm, move));
      case "confirm":
        return { id: this.#parts.node.id, isHeld: await isHeld(this.#parts, this.#slot) };
      case "abandon":
        return this.#inTurn(async (vm, move) => {
          if (move.stage === "taken") return { taken: true };
          await this.#refuse(vm, "its source called it off");
          return { taken: false };
        });
      case "farewell":
        await this.#slot.enqueue(() => forgetTaken(this.#parts, this.#slot, this.#ticket));
        this.#end();
        return {};
    }
    throw new OdoroboError("BAD_REQUEST", `this agent does not know ${JSON.stringify(question)}`);
  }

  /** In the VM's queue, with the record as it is then. ARRIVAL_REFUSED once it was refused. */
  #inTurn(act: (vm: VmRecord, move: Arrival) => Promise<object>): Promise<object> {
    return this.#slot.enqueue(async () => {
      this.#parts.stopping.throwIfAborted();
      const move = this.#record();
      if (move === null) throw this.#refusal();
      return act(this.#slot.stored as VmRecord, move);
    });
  }

  #record(): Arrival | null {
    const vm = this.#slot.stored;
    if (vm?.state !== "present" || vm.move?.role !== "destination") return null;
    return vm.move.ticket === this.#ticket ? vm.move : null;
  }

  #refusal(): OdoroboError {
    const { name } = this.#slot;
    return this.#parts.verdicts.of(this.#ticket) === "refused"
      ? new OdoroboError("ARRIVAL_REFUSED", `${name} was not taken in by ${this.#parts.node.name}, and will not be`)
      : new OdoroboError("WRONG_PHASE", `${name} is not expected any more on ${this.#parts.node.name}`);
  }

  async #prepare(vm: VmRecord, travelling: TravellingVm): Promise<object> {
    if (travelling.cold !== undefined) return this.#prepareCold(vm, travelling);
    if ((vm.move as Arrival).stage !== "expected")
      throw new OdoroboError("WRONG_PHASE", `${vm.name} is arriving already`, { hint: "call it off first" });
    try {
      const { guest, admission, shallow } = await prepareGuest(this.#parts, this.#slot, vm, travelling);
      this.#hold(guest, admission);
      return { shallow };
    } catch (error) {
      this.#parts.stopping.throwIfAborted();
      const now = this.#slot.stored as VmRecord;
      const words = this.#slot.guest === null ? "" : await processWords(this.#parts, now);
      await this.#refuse(now, `it could not be prepared: ${messageOf(error)}`);
      throw withWords(error, words);
    }
  }

  /** Asked again after each break. */
  async #prepareCold(vm: VmRecord, travelling: TravellingVm): Promise<object> {
    const move = vm.move as Arrival;
    if (move.stage === "taken" || (move.stage !== "expected" && move.mode !== "cold"))
      throw new OdoroboError("WRONG_PHASE", `${vm.name} is arriving already`, { hint: "call it off first" });
    await this.#received?.close();
    try {
      const { received, flat } = await prepareCold(this.#parts, this.#slot, vm, travelling);
      this.#received = received;
      return { shallow: [], flat };
    } catch (error) {
      this.#parts.stopping.throwIfAborted();
      await this.#refuse(this.#slot.stored as VmRecord, `it could not be prepared: ${messageOf(error)}`);
      throw error;
    }
  }

  async #noteColdWhole(vm: VmRecord, move: Arrival): Promise<object> {
    if (move.stage !== "arriving") return {};
    await standOnImagesHere(this.#parts, vm);
    return this.#noteWhole(vm, move);
  }

  #hold(guest: Guest, admission: Admission): void {
    this.#guest = guest;
    this.#admission = admission;
    const forget = guest.onChange(() => {
      if (guest.exit === null) return;
      forget();
      void this.#slot.enqueue(() => this.#noteDeath(guest)).catch((error: unknown) => this.#log(error));
    });
  }

  /** The process is gone, and the guest never ran in it. */
  async #noteDeath(guest: Guest): Promise<void> {
    const move = this.#record();
    if (this.#slot.guest !== guest || move === null || move.stage === "taken" || this.#parts.stopping.aborted) return;
    const vm = this.#slot.stored as VmRecord;
    const words = await processWords(this.#parts, vm);
    const how = guest.exit === null ? "" : ` (${describeExit(guest.exit)})`;
    await this.#refuse(vm, `its process here ended${how}${words === "" ? "" : `: ${words}`}`);
  }

  async #noteWhole(vm: VmRecord, move: Arrival): Promise<object> {
    if (move.stage === "arriving") await noteWhole(this.#parts, this.#slot, vm);
    return {};
  }

  async #answerTake(vm: VmRecord, move: Arrival): Promise<object> {
    if (move.stage === "taken") return { id: this.#parts.node.id };
    if (move.mode === "cold" && move.stage === "whole") {
      await this.#take(vm);
      return { id: this.#parts.node.id };
    }
    if (this.#admission === null) {
      await this.#refuse(vm, "nothing of it had come when it was given");
      throw this.#refusal();
    }
    try {
      if (move.stage !== "whole") {
        await untilAborted(this.#admission.whole(this.#signal()), AbortSignal.timeout(WHOLE_MS));
        await noteWhole(this.#parts, this.#slot, vm);
      }
      await this.#take(this.#slot.stored as VmRecord);
      return { id: this.#parts.node.id };
    } catch (error) {
      this.#parts.stopping.throwIfAborted();
      if (this.#record()?.stage === "taken") return { id: this.#parts.node.id };
      await this.#refuse(this.#slot.stored as VmRecord, `it could not be taken in: ${messageOf(error)}`);
      throw new OdoroboError("ARRIVAL_REFUSED", `${vm.name} could not be taken in: ${messageOf(error)}`, {
        cause: error,
        hint: isOdoroboError(error) ? error.hint : undefined,
      });
    }
  }

  async #take(vm: VmRecord): Promise<void> {
    if ((vm.move as Arrival).mode === "cold") {
      await takeCold(this.#parts, this.#slot, vm);
      if (this.#away !== null) clearTimeout(this.#away);
      return;
    }
    if (this.#guest === null || this.#admission === null) throw new Error("there is nothing to take");
    await takeGuest(this.#parts, this.#slot, vm, { guest: this.#guest, admission: this.#admission });
    if (this.#away !== null) clearTimeout(this.#away);
  }

  async #refuse(vm: VmRecord, why: string): Promise<StoredVm | null> {
    const stored = await refuseArrival(this.#parts, this.#slot, vm, why);
    this.#end();
    return stored;
  }

  /** A guest that is whole may be all that there is of it: it waits for as long as it takes. */
  #waitForSource(): void {
    if (this.#ended.signal.aborted || this.#parts.stopping.aborted || this.#record()?.stage === "taken") return;
    this.#away = setTimeout(
      () => {
        void this.#slot
          .enqueue(async () => {
            const move = this.#record();
            if (this.#away === null || move === null || move.stage === "whole" || move.stage === "taken") return;
            if (this.#parts.stopping.aborted) return;
            await this.#refuse(this.#slot.stored as VmRecord, `${move.from} has not come back`);
          })
          .catch((error: unknown) => this.#log(error));
      },
      this.#record()?.mode === "cold" ? this.#options.coldAwayMs : this.#options.sourceAwayMs,
    );
    this.#away.unref();
  }

  #end(): void {
    this.#options.onEnd();
    this.#ended.abort();
    this.#letGo();
    // What was answered last is still on its way.
    setTimeout(() => this.#line?.close(), LINGER_MS).unref();
  }

  #letGo(): void {
    void Promise.resolve(this.#admission?.[Symbol.asyncDispose]()).catch(() => {});
    void this.#received?.close().catch(() => {});
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#parts.stopping, this.#ended.signal]);
  }

  #receivedOrThrow(): ReceivedDisks {
    if (this.#received !== null) return this.#received;
    throw this.#record() === null
      ? this.#refusal()
      : new OdoroboError("INTERRUPTED", `nothing of ${this.#slot.name} has come since this agent started`);
  }

  #admissionOrThrow(): Admission {
    if (this.#admission !== null) return this.#admission;
    throw this.#record() === null
      ? this.#refusal()
      : new OdoroboError("WRONG_PHASE", `nothing of ${this.#slot.name} has come yet`);
  }

  #log(error: unknown): void {
    if (!this.#parts.stopping.aborted)
      this.#parts.logger.error({ err: error, vm: this.#slot.name }, "an arrival could not be ended");
  }
}

const RESUME_DEADLINE_MS = 5_000;
/** Nothing is left to send when it is given: what is under way arrives, or never will. */
const WHOLE_MS = 10_000;
const LINGER_MS = 2_000;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function withWords(error: unknown, words: string): unknown {
  if (!isOdoroboError(error) || words === "") return error;
  return new OdoroboError(error.code, `${error.message}; its process said: ${words}`, {
    cause: error,
    hint: error.hint,
  });
}
