/**
 * A client of QEMU's machine protocol over its Unix socket: one JSON value a line, answers matched by id, events in between.
 *
 * Invariants:
 * - QEMU serves one client at a time. A second one connects but is not greeted until the first is gone: the deadline tells.
 * - Every call ends: with its answer, at its deadline, by its signal, or when the connection closes.
 * - An answer that comes after its call's end is dropped by its id; the connection stays usable.
 */
import { connect as openSocket, type Socket } from "node:net";
import { isErrno, OdoroboError } from "../../../../model/errors.ts";
import { systemSleep } from "../../../../platform/sleep.ts";
import type { QmpCommands, QmpEvent } from "./qmp-commands.ts";
import { QmpLines } from "./qmp-lines.ts";

export interface QmpOptions {
  readonly signal: AbortSignal;
  /** For the socket to appear, the greeting and the handshake together. */
  readonly connectMs?: number;
  /** For each call, unless it says otherwise. */
  readonly callMs?: number;
}

/** QEMU opens its sockets some 20 ms after its start; a hundred started at once on two cores took the last one seconds. */
const CONNECT_MS = 45_000;
/** Answers take a millisecond. QEMU's main loop stands still while it waits for slow storage: that is not a failure yet. */
const CALL_MS = 15_000;
const RETRY_MS = 10;

type Command = keyof QmpCommands;
type CallArgs<C extends Command> = QmpCommands[C]["args"] extends undefined ? [] : [args: QmpCommands[C]["args"]];

interface PendingCall {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class QmpClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #callMs: number;
  readonly #lines = new QmpLines();
  readonly #pending = new Map<number, PendingCall>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  #lastId = 0;
  #end: OdoroboError | null = null;

  private constructor(socket: Socket, path: string, callMs: number) {
    this.#socket = socket;
    this.#path = path;
    this.#callMs = callMs;
    this.#greeting.promise.catch(() => {});
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#finish("the connection broke", error));
    socket.on("close", () => this.#finish("the connection was closed"));
  }

  /** Waits for the socket to appear, for the greeting, and shakes hands. Rejects with HYPERVISOR_UNAVAILABLE. */
  static async connect(path: string, options: QmpOptions): Promise<QmpClient> {
    const connectMs = options.connectMs ?? CONNECT_MS;
    const deadline = AbortSignal.timeout(connectMs);
    const signal = AbortSignal.any([options.signal, deadline]);
    let client: QmpClient | null = null;
    try {
      client = new QmpClient(await reach(path, signal), path, options.callMs ?? CALL_MS);
      await endedBy(signal, client.#greeting.promise);
      await client.call("qmp_capabilities", { signal });
      return client;
    } catch (error) {
      await client?.[Symbol.asyncDispose]();
      options.signal.throwIfAborted();
      throw deadline.aborted ? notGreeted(path, connectMs, client !== null, error) : error;
    }
  }

  get isClosed(): boolean {
    return this.#end !== null;
  }

  /** Resolves when the connection is gone, for whatever reason. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Returns the function that ends the subscription. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** HYPERVISOR_FAILED: QEMU said no. HYPERVISOR_UNAVAILABLE: it said nothing. */
  async call<C extends Command>(
    command: C,
    ...rest: [...CallArgs<C>, options: { readonly signal: AbortSignal; readonly deadlineMs?: number }]
  ): Promise<QmpCommands[C]["answer"]> {
    const { signal, deadlineMs = this.#callMs } = rest.at(-1) as { signal: AbortSignal; deadlineMs?: number };
    const args = rest.length === 2 ? rest[0] : undefined;
    if (this.#end) throw this.#end;
    signal.throwIfAborted();
    const id = ++this.#lastId;
    // A timer and a listener, not `AbortSignal.any` and `.timeout`: a report asks every guest, and those cost more than the answer.
    return new Promise((resolve, reject) => {
      const ended = () => {
        this.#pending.delete(id);
        clearTimeout(deadline);
        signal.removeEventListener("abort", onAbort);
      };
      const fail = (error: unknown) => {
        ended();
        reject(error instanceof QmpRefusal ? refused(command, error) : error);
      };
      const onAbort = () => fail(signal.reason);
      const deadline = setTimeout(() => fail(unanswered(command, deadlineMs)), deadlineMs).unref();
      signal.addEventListener("abort", onAbort);
      this.#pending.set(id, {
        resolve(answer) {
          ended();
          resolve(answer as QmpCommands[C]["answer"]);
        },
        reject: fail,
      });
      this.#writeTogether(
        `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }), id })}\n`,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish("the connection was closed by us");
    if (this.#socket.closed) return;
    const gone = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#socket.destroy();
    await gone;
  }

  /** What is asked in one turn goes out in one write: each wakes QEMU, which costs more than all else of a question. */
  #writeTogether(text: string): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(text);
  }

  #read(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) this.#take(JSON.parse(line) as Record<string, unknown>);
    } catch (error) {
      this.#finish("what came is not QMP", error);
      this.#socket.destroy();
    }
  }

  #take(message: Record<string, unknown>): void {
    if ("QMP" in message) {
      this.#greeting.resolve();
      return;
    }
    if (typeof message.event === "string") {
      const event: QmpEvent = { event: message.event, data: (message.data ?? {}) as QmpEvent["data"] };
      for (const listener of [...this.#listeners]) listener(event);
      return;
    }
    const call = this.#pending.get(message.id as number);
    if (!call) return;
    if ("error" in message) call.reject(new QmpRefusal(String((message.error as { desc?: unknown })?.desc)));
    else call.resolve(message.return);
  }

  #finish(how: string, cause?: unknown): void {
    if (this.#end) return;
    this.#end = new OdoroboError("HYPERVISOR_UNAVAILABLE", `QEMU cannot be reached on ${this.#path}: ${how}`, {
      cause,
    });
    this.#greeting.reject(this.#end);
    for (const call of this.#pending.values()) call.reject(this.#end);
    this.#pending.clear();
    this.#closed.resolve();
  }
}

/** QEMU's own "no". */
class QmpRefusal extends Error {}

const refused = (command: Command, { message }: QmpRefusal): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `QEMU refused ${command}: ${message}`);

const unanswered = (command: Command, deadlineMs: number): OdoroboError =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", `QEMU did not answer ${command} within ${deadlineMs / 1000} s`, {
    hint: "is its storage reachable? The process may be stuck in I/O",
  });

/** Tries until somebody listens there: a process that was just started needs a moment. */
async function reach(path: string, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await open(path);
    } catch (error) {
      if (!isErrno(error, "ENOENT") && !isErrno(error, "ECONNREFUSED")) {
        throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `QEMU cannot be reached on ${path}`, { cause: error });
      }
    }
    await systemSleep(RETRY_MS, signal);
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** The promise's outcome, or the signal's reason, whichever is first. */
function endedBy<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", onAbort));
}

function notGreeted(path: string, connectMs: number, connected: boolean, cause: unknown): OdoroboError {
  return connected
    ? new OdoroboError(
        "HYPERVISOR_UNAVAILABLE",
        `QEMU accepted us on ${path} but did not greet within ${connectMs / 1000} s`,
        {
          hint: "it serves one client at a time: another agent or tool may hold this socket",
        },
      )
    : new OdoroboError("HYPERVISOR_UNAVAILABLE", `nobody listens on ${path} after ${connectMs / 1000} s`, {
        cause,
        hint: "the QEMU process may have ended at once: its last words are in qemu.log in the VM's log folder",
      });
}
