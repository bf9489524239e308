/**
 * What two Cloud Hypervisors say to each other while a guest goes from one to the other, as far as a relay between them has to know it. Pure.
 *
 *   source                                          destination
 *     Start, Config, Memory …, State   ─────────►     each answered by Ok or Error
 *     Complete                         ─────────►     lets the guest run, and then answers
 *
 * A request is a header of 16 bytes (command: u16, 6 bytes of its own, length of what follows: u64) and its payload; behind that of Memory, a table of
 * ranges (address: u64, length: u64), come the ranges' contents. An answer is 16 bytes (status: u16, 6 empty, length: u64, always 0). Little-endian.
 * From vm-migration/src/protocol.rs of v50 to v54, where it is the same but for CompletePaused (v52).
 */
import { OdoroboError } from "../../../../model/errors.ts";

export const HEADER_BYTES = 16;
export const ANSWER_BYTES = 16;
const RANGE_BYTES = 16;

export const COMMAND = {
  start: 1,
  config: 2,
  state: 3,
  memory: 4,
  complete: 5,
  abandon: 6,
  completePaused: 8,
} as const;
export type Command = (typeof COMMAND)[keyof typeof COMMAND];

export const STATUS = { ok: 1, error: 2 } as const;

/** A guest's configuration has 300 KiB with hundreds of devices, its state some MiB with hundreds of CPUs. */
const MOST_BYTES: Readonly<Partial<Record<Command, number>>> = {
  [COMMAND.config]: 64 * 1024 * 1024,
  [COMMAND.state]: 4 * 1024 * 1024 * 1024,
};

/** Parts of requests, in order. The bytes of all of them, one after the other, are what was read. */
export type Piece =
  | { readonly kind: "header"; readonly command: Command; readonly bytes: Buffer; readonly length: number }
  /** Of what follows the header, as it comes. `left`: how much of this request is still to come, as far as it is known. */
  | { readonly kind: "payload"; readonly command: Command; readonly bytes: Buffer; readonly left: number }
  /** All of the request has been read. */
  | { readonly kind: "end"; readonly command: Command };

/** Both completions: whoever hears one lets the guest run, or stand as it stood. */
export const isCompletion = (command: Command): boolean =>
  command === COMMAND.complete || command === COMMAND.completePaused;

/** Cuts what comes in any pieces into requests. */
export class RequestReader {
  #header = Buffer.alloc(0);
  /** Null: between two requests. */
  #command: Command | null = null;
  /** Of the payload that the header announced. */
  #payload = 0;
  /** Of memory's contents, as far as its table has told. */
  #contents = 0;
  #range = Buffer.alloc(0);

  /** Nothing of a next request has come. */
  get isBetween(): boolean {
    return this.#command === null && this.#header.length === 0;
  }

  /** Rejects what is no such request: UNSUPPORTED. */
  *read(chunk: Buffer): Iterable<Piece> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#command === null) {
        const missing = HEADER_BYTES - this.#header.length;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#header.length < HEADER_BYTES) return;
        yield this.#begin();
      } else {
        const take = this.#payload > 0 ? this.#payload : this.#contents;
        const bytes = rest.subarray(0, take);
        rest = rest.subarray(take);
        if (this.#payload > 0) this.#takePayload(this.#command, bytes);
        else this.#contents -= bytes.length;
        yield { kind: "payload", command: this.#command, bytes, left: this.#payload + this.#contents };
      }
      if (this.#command !== null && this.#payload === 0 && this.#contents === 0) {
        const command = this.#command;
        this.#command = null;
        yield { kind: "end", command };
      }
    }
  }

  #begin(): Piece {
    const bytes = this.#header;
    this.#header = Buffer.alloc(0);
    const command = toCommand(bytes.readUInt16LE(0));
    const length = Number(bytes.readBigUInt64LE(8));
    const most = command === COMMAND.memory ? Number.MAX_SAFE_INTEGER : (MOST_BYTES[command] ?? 0);
    if (length > most || (command === COMMAND.memory && length % RANGE_BYTES !== 0))
      throw strange(`${length} bytes for ${nameOf(command)}`);
    this.#command = command;
    this.#payload = length;
    this.#contents = 0;
    return { kind: "header", command, bytes, length };
  }

  #takePayload(command: Command, bytes: Buffer): void {
    this.#payload -= bytes.length;
    if (command !== COMMAND.memory) return;
    const table = this.#range.length === 0 ? bytes : Buffer.concat([this.#range, bytes]);
    const whole = table.length - (table.length % RANGE_BYTES);
    for (let at = 0; at < whole; at += RANGE_BYTES) this.#contents += Number(table.readBigUInt64LE(at + 8));
    this.#range = Buffer.from(table.subarray(whole));
    if (!Number.isSafeInteger(this.#contents)) throw strange("a range without end");
  }
}

/** Cuts what comes back into answers. */
export class AnswerReader {
  #pending = Buffer.alloc(0);

  *read(chunk: Buffer): Iterable<{ readonly isOk: boolean; readonly bytes: Buffer }> {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= ANSWER_BYTES) {
      const bytes = this.#pending.subarray(0, ANSWER_BYTES);
      this.#pending = this.#pending.subarray(ANSWER_BYTES);
      yield { isOk: bytes.readUInt16LE(0) === STATUS.ok, bytes };
    }
  }
}

/** The same request with another payload. */
export function withLength(header: Buffer, length: number): Buffer {
  const changed = Buffer.from(header);
  changed.writeBigUInt64LE(BigInt(length), 8);
  return changed;
}

const NAMES: Readonly<Record<Command, string>> = {
  [COMMAND.start]: "its greeting",
  [COMMAND.config]: "its configuration",
  [COMMAND.state]: "its state",
  [COMMAND.memory]: "its memory",
  [COMMAND.complete]: "its completion",
  [COMMAND.abandon]: "its end",
  [COMMAND.completePaused]: "its completion",
};

/** For people. */
export const nameOf = (command: Command): string => NAMES[command];

function toCommand(number: number): Command {
  if (Object.hasOwn(NAMES, number)) return number as Command;
  throw strange(`a request ${number}`);
}

const strange = (what: string): OdoroboError =>
  new OdoroboError("UNSUPPORTED", `Cloud Hypervisor sends what this agent does not understand: ${what}`, {
    hint: "is it a newer release than the agent knows? Then update the agent",
  });
