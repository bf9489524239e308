/** The agent at the other end of a move, as the source of it asks it: reached anew whenever the line is gone. */
import type { Duplex } from "node:stream";
import { OdoroboError } from "../../../model/errors.ts";
import type { MoveTarget } from "../../../wire/move-channel.ts";
import { MoveLine, type MoveQuestion, type MoveQuestions } from "../../../wire/move-line.ts";
import type { Departure } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

export class OtherNode implements Disposable {
  readonly #parts: Parts;
  readonly #slot: Slot;
  readonly #target: MoveTarget;
  readonly #streams = new Set<Duplex>();
  #line: MoveLine | null = null;

  private constructor(parts: Parts, slot: Slot, target: MoveTarget) {
    this.#parts = parts;
    this.#slot = slot;
    this.#target = target;
  }

  /** Rejects with STORAGE_FAILED when the ticket, which lies beside the record, is lost. */
  static async of(parts: Parts, slot: Slot, { to, ticket }: Pick<Departure, "to" | "ticket">): Promise<OtherNode> {
    const text = (await parts.store.readTexts(slot.name, [ticket])).get(ticket);
    if (text === undefined) throw new OdoroboError("STORAGE_FAILED", `the ticket of ${slot.name} is lost`);
    return new OtherNode(parts, slot, { address: to.address, fingerprint: to.fingerprint, ticket: text });
  }

  /** Rejects with what it answered, or with AGENT_UNREACHABLE and its like when nothing is known. */
  async ask<Q extends MoveQuestion>(
    question: Q,
    asked: MoveQuestions[Q]["asked"],
    signal: AbortSignal,
  ): Promise<MoveQuestions[Q]["answer"]> {
    if (this.#line === null || this.#line.isClosed)
      this.#line = new MoveLine(await this.#dial("control", signal), this.#parts.line);
    return this.#line.ask(question, asked, signal);
  }

  /** Aborted as soon as the line that is open now is gone: then nobody over there waits for what is sent. */
  lost(): AbortSignal {
    const controller = new AbortController();
    const line = this.#line;
    void line?.closed.then(() =>
      controller.abort(new OdoroboError("AGENT_UNREACHABLE", "the line to the other agent is gone")),
    );
    return controller.signal;
  }

  /** For bytes: `memory`, `disk.NAME`. */
  async open(channel: string, signal: AbortSignal): Promise<Duplex> {
    const stream = await this.#dial(channel, signal);
    this.#streams.add(stream);
    stream.on("error", () => {});
    stream.once("close", () => this.#streams.delete(stream));
    return stream;
  }

  [Symbol.dispose](): void {
    this.#line?.close();
    for (const stream of this.#streams) stream.destroy();
  }

  #dial(channel: string, signal: AbortSignal): Promise<Duplex> {
    return this.#parts.dial(this.#target, this.#slot.name, channel, signal);
  }
}
