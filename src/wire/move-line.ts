/**
 * What two agents say to each other about a guest on its way: one JSON value a line, over the `control` channel.
 *
 *   lifecycle/migration/departure → [move-line.ts] ⇄ [move-line.ts] → lifecycle/migration/arrivals
 *
 * The one that has the guest asks, the other answers. Each asks and answers as often as it likes: every question can be asked again.
 *
 * Invariants: a question ends with its answer, by its signal, or when the line is closed. A line on which nothing was heard for a while is
 * closed: both say that they are there all the time, so that a link which swallows what is sent is noticed by both.
 */

import type { Duplex } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { type ErrorBody, fromErrorBody, isOdoroboError, OdoroboError, toErrorBody } from "../model/errors.ts";
import type { Digest, Instant } from "../model/names.ts";
import type { DiskOrigin, VmSpec } from "../model/vm-spec.ts";

/** Questions with their answers, in the order of a move. */
export interface MoveQuestions {
  /** Make everything ready, and start a process that takes the guest in. */
  prepare: {
    asked: TravellingVm;
    /**
     * `shallow`: disks that stand on the same bytes there, what is below them need not be sent. `flat`: of a VM that is off, disks that stand on other
     * bytes there than here: they are sent as one file that stands alone. Left out: none.
     */
    answer: { readonly shallow: readonly string[]; readonly flat?: readonly string[] };
  };
  /** Its disks are copied: let go of them. */
  "disks-done": { asked: object; answer: object };
  /**
   * Of a VM that is off: what is there of a file that is so long. SHA-256 of each segment, in base64url; null: it is not there. Asked again after each
   * break, and whatever was being written before has ended when it is answered.
   */
  "disk-state": { asked: DiskFile; answer: { readonly segments: readonly (string | null)[] } };
  /** Nothing is left to send. Answered when all of it is there. `disks`: of a VM that is off, each with the checksum of what was sent. */
  whole: { asked: { readonly disks?: readonly (DiskFile & { readonly checksum: string })[] }; answer: object };
  /** It is yours. Asked only when whoever asks has written down that it is. ARRIVAL_REFUSED: it never ran there and never will. */
  take: { asked: object; answer: { /** Of its data folder; agents of before do not say. */ readonly id?: string } };
  /** It is called off. Answered when it is written down that it will never run there; `taken`: too late, it was taken. */
  abandon: { asked: object; answer: { readonly taken: boolean } };
  /** Nothing of it is left here, and nobody will ask again. */
  farewell: { asked: object; answer: object };
  /** Long afterwards: is it there, whole, or was it seen to go? `id`: of the data folder that says so. */
  confirm: { asked: object; answer: { readonly id: string; readonly isHeld: boolean } };
}
export type MoveQuestion = keyof MoveQuestions;

/** All that makes it this VM, as the node that has it knows it. */
export interface TravellingVm {
  readonly fleet: string | null;
  readonly generation: number;
  readonly serial: number;
  readonly commit: string | null;
  readonly spec: VmSpec;
  readonly appliedAt: Instant;
  /** What the guest was started with, and what was changed live since. */
  readonly bootedSpec: VmSpec;
  /** Of its hypervisor: what no spec says. */
  readonly machine: unknown;
  readonly uuid?: string;
  readonly instanceId?: string;
  /** The texts that its specs refer to: secrets. */
  readonly files: Readonly<Record<Digest, string>>;
  readonly paused: boolean;
  readonly ready: boolean | null;
  readonly readySince?: Instant;
  readonly owed: readonly { readonly path: string; readonly since: Instant }[];
  /** Disks of the agent's own, whose bytes come along. */
  readonly disks: readonly TravellingDisk[];
  /** It is off: what is known of how it ended, and what its files were made as. `machine`, `bootedSpec` and `paused` mean nothing then. */
  readonly cold?: {
    readonly phase: "stopped" | "crashed";
    readonly endedBy: "operator" | "guest" | "failure" | null;
    readonly reason: string | null;
    readonly since: Instant;
    readonly origins: Readonly<Record<string, DiskOrigin>>;
  };
}

/** A file in the disk folder of a VM that is off. */
export interface DiskFile {
  readonly name: string;
  readonly bytes: number;
  /** How it is cut; the last one is as long as the rest. */
  readonly segmentBytes: number;
}

export interface TravellingDisk {
  readonly name: string;
  readonly bytes: number;
  /** What is below it, nearest first, by which the other node sees whether it has the same; empty: it stands alone. */
  readonly below: readonly {
    readonly bytes: number;
    readonly samples: string;
    /** Of the nearest, of a VM that is off: where it is on its node; it may be there, too. */
    readonly path?: string;
  }[];
}

/** Cloud-init texts are in it; a request of ours may have as much. */
const MAX_LINE_CHARS = 64 * 1024 * 1024;
const BEAT_MS = 2_000;
/** Five beats: a garbage collection or a loaded host is no end of the line. */
const SILENCE_MS = 10_000;

type Answerer = <Q extends MoveQuestion>(
  question: Q,
  asked: MoveQuestions[Q]["asked"],
) => Promise<MoveQuestions[Q]["answer"]>;

export interface LinePace {
  /** How often each says that it is there. */
  readonly beatMs?: number;
  /** When nothing was heard for so long nobody is there. */
  readonly silenceMs?: number;
}

export interface MoveLineOptions extends LinePace {
  /** Left out: who asks us is told that we are not the one to ask. */
  readonly answer?: Answerer;
}

export class MoveLine {
  readonly #stream: Duplex;
  readonly #answer: Answerer | null;
  readonly #pending = new Map<
    number,
    { readonly resolve: (answer: never) => void; readonly reject: (error: Error) => void }
  >();
  readonly #closed = Promise.withResolvers<void>();
  readonly #decoder = new StringDecoder("utf8");
  readonly #beat: NodeJS.Timeout;
  readonly #silence: NodeJS.Timeout;
  #rest = "";
  #lastId = 0;
  #end: OdoroboError | null = null;

  constructor(stream: Duplex, { answer, beatMs = BEAT_MS, silenceMs = SILENCE_MS }: MoveLineOptions = {}) {
    this.#stream = stream;
    this.#answer = answer ?? null;
    this.#beat = setInterval(() => this.#write({ beat: true }), beatMs).unref();
    this.#silence = setTimeout(() => this.#finish(`nothing was heard for ${silenceMs / 1000} s`), silenceMs).unref();
    stream.on("data", (chunk: Buffer) => this.#read(chunk));
    stream.on("error", (error) => this.#finish("the connection broke", error));
    stream.on("end", () => this.#finish("the other side closed it"));
    stream.on("close", () => this.#finish("the connection was closed"));
  }

  /** Resolves when it is closed, by whomever. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get isClosed(): boolean {
    return this.#end !== null;
  }

  /** Rejects with what was answered, with AGENT_UNREACHABLE when the line is closed, or with the signal's reason. */
  ask<Q extends MoveQuestion>(
    question: Q,
    asked: MoveQuestions[Q]["asked"],
    signal: AbortSignal,
  ): Promise<MoveQuestions[Q]["answer"]> {
    signal.throwIfAborted();
    if (this.#end !== null) return Promise.reject(this.#end);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const ended = () => {
        this.#pending.delete(id);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        ended();
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort);
      this.#pending.set(id, {
        resolve(answer) {
          ended();
          resolve(answer);
        },
        reject(error) {
          ended();
          reject(error);
        },
      });
      this.#write({ id, question, asked });
    });
  }

  close(): void {
    this.#finish("we closed it");
  }

  #write(message: object): void {
    if (this.#end === null) this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  #read(chunk: Buffer): void {
    if (this.#end !== null) return;
    this.#silence.refresh();
    const lines = (this.#rest + this.#decoder.write(chunk)).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_LINE_CHARS) return void this.#finish("what came is no message: it does not end");
    for (const line of lines) {
      try {
        this.#take(JSON.parse(line) as Message);
      } catch (error) {
        this.#finish("what came is no message", error);
        return;
      }
    }
  }

  #take(message: Message): void {
    if (message.beat === true) return;
    const { id } = message;
    if (typeof id !== "number") throw new Error("a message without an id");
    if (typeof message.question === "string")
      return void this.#reply(id, message.question, (message.asked ?? {}) as never);
    const waiting = this.#pending.get(id);
    if (message.error !== undefined) waiting?.reject(fromErrorBody(message.error));
    else waiting?.resolve(message.answer as never);
  }

  async #reply(id: number, question: MoveQuestion, asked: never): Promise<void> {
    try {
      if (this.#answer === null) throw new OdoroboError("BAD_REQUEST", `nobody here answers ${String(question)}`);
      this.#write({ id, answer: await this.#answer(question, asked) });
    } catch (error) {
      const known = isOdoroboError(error)
        ? error
        : new OdoroboError("INTERNAL", "the other agent failed at something it did not expect", {
            hint: "see its log",
          });
      this.#write({ id, error: toErrorBody(known) });
    }
  }

  #finish(how: string, cause?: unknown): void {
    if (this.#end !== null) return;
    this.#end = new OdoroboError("AGENT_UNREACHABLE", `the line to the other agent is gone: ${how}`, { cause });
    clearInterval(this.#beat);
    clearTimeout(this.#silence);
    for (const { reject } of [...this.#pending.values()]) reject(this.#end);
    this.#stream.on("error", () => {});
    this.#stream.destroy();
    this.#closed.resolve();
  }
}

interface Message {
  readonly beat?: true;
  readonly id?: number;
  readonly question?: MoveQuestion;
  readonly asked?: never;
  readonly answer?: unknown;
  readonly error?: ErrorBody;
}
