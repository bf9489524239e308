/**
 * The door for guests that other agents bring: who shows a ticket is let in, and what it asks is done in the VM's queue.
 *
 *   http/ → [arrivals.ts] → arrival.ts → take-in.ts, refuse-arrival.ts
 */
import type { Duplex } from "node:stream";
import { digestOfText } from "../../../model/digest.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { Digest, VmName } from "../../../model/names.ts";
import { MoveLine } from "../../../wire/move-line.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { ArrivalSession } from "./arrival-session.ts";
import { forgetTaken } from "./forget-taken.ts";
import { isHeld } from "./left-behind.ts";
import { refuseArrival } from "./refuse-arrival.ts";

export interface ArrivalPace {
  /** How long a source may be away in the middle before what it began here is thrown away. */
  readonly sourceAwayMs?: number;
  /** The same, of a VM that is off and comes with its disks. */
  readonly coldAwayMs?: number;
}

/** An agent that restarts is back in seconds; a guest that is only half here is of no use to anybody. */
const SOURCE_AWAY_MS = 30_000;

/** Longer than a source goes on trying (cold/migrate-cold.ts): what is there of its disks is not sent twice. */
const COLD_AWAY_MS = 30 * 60_000;

/** Takes over the connection. */
export type LetIn = (stream: Duplex) => void;

export class Arrivals {
  readonly #parts: Parts;
  readonly #slots: ReadonlyMap<string, Slot>;
  readonly #sessions = new Map<Digest, ArrivalSession>();
  readonly #expiries = new Map<string, NodeJS.Timeout>();
  readonly #streams = new Set<Duplex>();
  readonly #sourceAwayMs: number;
  readonly #coldAwayMs: number;

  constructor(
    parts: Parts,
    slots: ReadonlyMap<string, Slot>,
    { sourceAwayMs = SOURCE_AWAY_MS, coldAwayMs = COLD_AWAY_MS }: ArrivalPace,
  ) {
    this.#parts = parts;
    this.#slots = slots;
    this.#sourceAwayMs = sourceAwayMs;
    this.#coldAwayMs = coldAwayMs;
  }

  /** Throws UNAUTHORIZED for a ticket that nobody here knows of, ARRIVAL_REFUSED for one that was refused for good. */
  letIn(name: VmName, channel: string, ticket: string): LetIn {
    const asked = digestOfText(ticket);
    const slot = this.#slots.get(name);
    const vm = slot?.stored?.state === "present" ? slot.stored : null;
    const move = vm?.move?.role === "destination" && vm.move.ticket === asked ? vm.move : null;
    const verdict = this.#parts.verdicts.of(asked);
    if (verdict === "refused") throw refused(name);
    if (slot === undefined || vm === null || move === null || (move.stage === "taken" && !this.#sessions.has(asked))) {
      if ((verdict === "taken" || move?.stage === "taken") && channel === "control")
        return (stream) => this.#answerAfterwards(stream, slot ?? null, asked);
      throw new OdoroboError("UNAUTHORIZED", `nobody here expects ${name} with this ticket`, {
        hint: "a ticket is for one guest and one move, and expires: ask again with odorobo vm migrate",
      });
    }
    if (move.stage === "expected" && Date.parse(move.expiresAt) < Date.parse(this.#parts.clock.now()))
      throw new OdoroboError("UNAUTHORIZED", `${name} was expected until ${move.expiresAt}`, {
        hint: "ask again: odorobo vm migrate",
      });
    const session = this.#sessionOf(slot, vm, asked);
    return channel === "control"
      ? (stream) => session.takeLine(this.#keep(stream))
      : session.letIn(channel, (stream) => this.#keep(stream));
  }

  /** The process of an arrival that an agent before this one had begun is there. */
  resume(slot: Slot, vm: VmRecord): ArrivalSession {
    return this.#sessionOf(slot, vm, (vm.move as { readonly ticket: Digest }).ticket);
  }

  session(vm: VmRecord): ArrivalSession | null {
    return vm.move?.role === "destination" ? (this.#sessions.get(vm.move.ticket) ?? null) : null;
  }

  /** Room is not kept for ever. */
  watchExpiry(slot: Slot): void {
    clearTimeout(this.#expiries.get(slot.name));
    const timer = setInterval(() => {
      const vm = slot.stored;
      const move = vm?.state === "present" && vm.move?.role === "destination" ? vm.move : null;
      if (move?.stage !== "expected") return this.#forgetExpiry(slot.name);
      if (Date.parse(move.expiresAt) >= Date.parse(this.#parts.clock.now())) return;
      this.#forgetExpiry(slot.name);
      void slot
        .enqueue(() => this.#expire(slot))
        .catch((error: unknown) => {
          this.#parts.logger.error({ err: error, vm: slot.name }, "could not give up room that was kept for a guest");
        });
    }, EXPIRY_LOOK_MS).unref();
    this.#expiries.set(slot.name, timer);
  }

  /** What is open ends; what was written down stands. */
  close(): void {
    for (const timer of this.#expiries.values()) clearInterval(timer);
    for (const session of this.#sessions.values()) session.close();
    for (const stream of this.#streams) stream.destroy();
  }

  async #expire(slot: Slot): Promise<void> {
    const vm = slot.stored;
    if (vm?.state !== "present" || vm.move?.role !== "destination" || vm.move.stage !== "expected") return;
    await refuseArrival(this.#parts, slot, vm, "it did not set out in time");
  }

  #forgetExpiry(name: string): void {
    clearInterval(this.#expiries.get(name));
    this.#expiries.delete(name);
  }

  #sessionOf(slot: Slot, vm: VmRecord, ticket: Digest): ArrivalSession {
    const known = this.#sessions.get(ticket);
    if (known !== undefined) return known;
    const session = new ArrivalSession(this.#parts, slot, ticket, {
      sourceAwayMs: this.#sourceAwayMs,
      coldAwayMs: this.#coldAwayMs,
      onEnd: () => this.#sessions.delete(ticket),
    });
    this.#sessions.set(ticket, session);
    this.#forgetExpiry(vm.name);
    return session;
  }

  /** A guest that was taken in long ago, and whose source has not heard of it. */
  #answerAfterwards(stream: Duplex, slot: Slot | null, ticket: Digest): void {
    const line = new MoveLine(this.#keep(stream), {
      ...this.#parts.line,
      answer: (async (question: string) => {
        if (question === "farewell" && slot !== null) await slot.enqueue(() => forgetTaken(this.#parts, slot, ticket));
        if (question === "abandon") return { taken: true };
        if (question === "take") return { id: this.#parts.node.id };
        if (question === "confirm") return { id: this.#parts.node.id, isHeld: await isHeld(this.#parts, slot) };
        if (question === "farewell") return {};
        throw new OdoroboError("WRONG_PHASE", "this guest was taken in already");
      }) as never,
    });
    this.#parts.stopping.addEventListener("abort", () => line.close(), { once: true });
  }

  #keep(stream: Duplex): Duplex {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    return stream;
  }
}

const EXPIRY_LOOK_MS = 1_000;

const refused = (name: VmName) =>
  new OdoroboError("ARRIVAL_REFUSED", `${name} was not taken in here with this ticket, and will not be`, {
    hint: "it is where it was",
  });
