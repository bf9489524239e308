/**
 * A running guest as the agent holds it: its process (if its hypervisor has one), the control connection (if it answers),
 * and one place to hear that something about it may have changed.
 *
 * Invariants: one connection at a time. After `release` nothing calls back any more.
 */
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { vmName } from "../../../model/names.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { GuestLine, SerialLines } from "../../console/serial-lines.ts";
import type {
  Admission,
  GuestStatus,
  Hypervisor,
  HypervisorEvent,
  LaunchInput,
  RunningVm,
} from "../../hypervisor/hypervisor.ts";
import { consoleSocket } from "../../launch-command.ts";
import type { SerialPort } from "../../serial-port.ts";
import type { ExitStatus, ProcessHandle, Supervisor } from "../../supervisor/supervisor.ts";
import { within } from "./deadline.ts";

export class Guest {
  readonly hypervisor: Hypervisor;
  input: LaunchInput;
  readonly process: ProcessHandle | null;
  /** How its process ended; null while it runs, or for a guest without a process. */
  exit: ExitStatus | null = null;
  connection: RunningVm | null = null;
  /** Its process waits for a guest from another host, and can be asked nothing. */
  receiving = false;
  /** Resolves when its probe succeeded; null while there is none to wait for. */
  readiness: Promise<void> | null = null;
  readonly #consoles: SerialLines;
  #line: GuestLine | null = null;
  /** Its kernel said that it panicked: what ends it from then on is no accident of the host. */
  panicked = false;
  /** Of a process that takes a guest in. */
  #admission: Admission | null = null;
  readonly #released = new AbortController();
  readonly #listeners = new Set<() => void>();
  #onEvent: ((event: GuestHappening) => void) | null = null;
  /** Told before anybody listened. */
  readonly #untold: GuestHappening[] = [];

  constructor(parts: {
    readonly hypervisor: Hypervisor;
    readonly input: LaunchInput;
    readonly process: ProcessHandle | null;
    readonly supervisor: Supervisor;
    readonly consoles: SerialLines;
  }) {
    this.hypervisor = parts.hypervisor;
    this.input = parts.input;
    this.process = parts.process;
    this.#consoles = parts.consoles;
    if (parts.process === null) return;
    parts.supervisor.waitForExit(parts.process, this.released).then(
      (status) => {
        this.exit = status;
        this.#changed();
      },
      () => {},
    );
  }

  /** Aborted once the agent has let go of it. */
  get released(): AbortSignal {
    return this.#released.signal;
  }

  /** How its process ended, once it is gone: the kernel says that it is gone a moment before its parent learns how. */
  async exitWithin(milliseconds: number): Promise<ExitStatus | null> {
    if (this.exit !== null || this.process === null) return this.exit;
    const { promise: known, resolve } = Promise.withResolvers<void>();
    const forget = this.onChange(() => {
      if (this.exit !== null) resolve();
    });
    const deadline = setTimeout(resolve, milliseconds);
    await known;
    clearTimeout(deadline);
    forget();
    return this.exit;
  }

  /** Rejects with HYPERVISOR_UNAVAILABLE, or HYPERVISOR_FAILED as soon as the process ends. */
  async connect(options: GuestConnectOptions, signal: AbortSignal): Promise<void> {
    if (this.connection !== null) return;
    if (this.receiving) throw this.#silent("waits for a guest from another host");
    const { deadlineMs, ...how } = options;
    const ended = this.#whenEnded();
    try {
      const connection = await within(
        deadlineMs,
        signal,
        (own) => {
          const attempt = this.hypervisor.connect(this.input, { ...how, signal: own });
          // One that comes when nobody waits any more is closed: QEMU, for one, serves a single client.
          attempt.then(
            async (late) => {
              if (own.aborted) await late[Symbol.asyncDispose]();
            },
            () => {},
          );
          return Promise.race([attempt, ended.promise]);
        },
        () => this.#silent(`does not answer after ${Math.round(deadlineMs / 1000)} s`),
      );
      this.#take(connection);
    } finally {
      ended.forget();
    }
  }

  /**
   * Has the process, which was just started, wait for a guest from another host. Resolves when it listens, with where, and
   * with what becomes of it: `arrived` rejects when no guest will come any more.
   */
  async receive(
    options: { readonly url: string; readonly deadlineMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly url: string; readonly arrived: Promise<void> }> {
    const receive = this.hypervisor.receive?.bind(this.hypervisor);
    if (receive === undefined) throw new Error(`${this.hypervisor.kind} cannot receive`);
    const ended = this.#whenEnded();
    this.receiving = true;
    try {
      const incoming = await within(
        options.deadlineMs,
        signal,
        () => {
          // Of its life, not of this wait: what was begun goes on until the guest is let go of.
          const attempt = receive(this.input, { url: options.url, signal: this.released });
          // One that begins to listen when nobody waits for it any more fails unheard.
          attempt.then(
            (late) => late.arrived.catch(() => {}),
            () => {},
          );
          return Promise.race([attempt, ended.promise]);
        },
        () => this.#silent(`does not listen after ${Math.round(options.deadlineMs / 1000)} s`),
      );
      const arrived = Promise.race([incoming.arrived, ended.promise]).then(async (connection) => {
        if (this.released.aborted) return connection[Symbol.asyncDispose]();
        this.receiving = false;
        this.#take(connection);
      });
      arrived.catch(() => {}).finally(ended.forget);
      return { url: incoming.url, arrived };
    } catch (error) {
      ended.forget();
      throw error;
    }
  }

  /** Has its process take in a guest from another agent. Until `arrive` nothing else can be asked of it. Rejects as `connect` does. */
  async admit(
    options: { readonly again: boolean; readonly deadlineMs: number },
    signal: AbortSignal,
  ): Promise<Admission> {
    const admit = this.hypervisor.admit?.bind(this.hypervisor);
    if (admit === undefined) throw new Error(`${this.hypervisor.kind} cannot take guests in`);
    const ended = this.#whenEnded();
    this.receiving = true;
    try {
      this.#admission = await within(
        options.deadlineMs,
        signal,
        (own) => {
          const attempt = admit(this.input, { again: options.again, signal: own });
          attempt.then(
            async (late) => {
              if (own.aborted) await late[Symbol.asyncDispose]();
            },
            () => {},
          );
          return Promise.race([attempt, ended.promise]);
        },
        () => this.#silent(`does not answer after ${Math.round(options.deadlineMs / 1000)} s`),
      );
      return this.#admission;
    } finally {
      ended.forget();
    }
  }

  /** What was waited for is here. */
  arrive(connection: RunningVm): void {
    this.receiving = false;
    this.#take(connection);
  }

  #take(connection: RunningVm): void {
    this.connection = connection;
    connection.onChange(() => this.#changed());
    connection.onEvent?.((event) => this.#hear(event));
    if (connection.serial === null || this.released.aborted) return;
    this.#line ??= this.#consoles.begin(vmName(this.input.name), {
      port: this.#portOf(connection.serial),
      log: connection.consoleLog,
      loggedBy: connection.loggedBy,
      socket: consoleSocket(this.input.paths),
      lost: (message) => this.#hear({ kind: "console-lost", message }),
    });
  }

  /** The line outlives a connection: it is asked of the one that there is. */
  #portOf(serial: SerialPort): SerialPort {
    if (serial.kind === "logged") return serial;
    const now = () => (this.connection?.serial?.kind === "stream" ? this.connection.serial : null);
    return {
      kind: "stream",
      find: async () => (await now()?.find()) ?? null,
      ...(serial.isServed === undefined ? {} : { isServed: async () => (await now()?.isServed?.()) ?? true }),
    };
  }

  #hear(event: GuestHappening): void {
    if (this.released.aborted) return;
    if (event.kind === "panic") this.panicked = true;
    if (this.#onEvent === null) this.#untold.push(event);
    else this.#onEvent(event);
  }

  /** What the guest does by itself, and what it did before anybody listened. One listener. */
  onEvent(listener: (event: GuestHappening) => void): void {
    this.#onEvent = listener;
    for (const event of this.#untold.splice(0)) listener(event);
  }

  /** Rejects when the guest does not answer. A connection that is lost is made anew, once. */
  async status(deadlineMs: number, signal: AbortSignal): Promise<GuestStatus> {
    return this.ask(deadlineMs, signal, (connection, own) => connection.status(own));
  }

  /** As `ask`, but never twice: for what must not be done again because an answer got lost. */
  async askOnce<Answer>(
    deadlineMs: number,
    signal: AbortSignal,
    question: (connection: RunningVm, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    // One that was lost while nobody asked is found out by a question that does no harm.
    await this.status(deadlineMs, signal);
    return within(
      deadlineMs,
      signal,
      (own) => question(this.connection as RunningVm, own),
      () => this.#silent(`did not answer within ${deadlineMs} ms`),
    );
  }

  /** Of the guest that an earlier agent was to let in: asked of a process that answers nothing until that is decided. */
  async arrival(deadlineMs: number, signal: AbortSignal): Promise<"awaited" | "here" | "failed"> {
    try {
      this.receiving = false;
      await this.connect({ fresh: false, deadlineMs }, signal);
      return (await this.status(deadlineMs, signal)).phase === "off" ? "failed" : "here";
    } catch {
      this.receiving = true;
      await this.disconnect();
      return "awaited";
    }
  }

  async ask<Answer>(
    deadlineMs: number,
    signal: AbortSignal,
    question: (connection: RunningVm, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    return within(
      deadlineMs,
      signal,
      async (own) => {
        if (this.connection === null) await this.connect({ fresh: false, deadlineMs }, own);
        try {
          return await question(this.connection as RunningVm, own);
        } catch (error) {
          if (!isOdoroboError(error, "HYPERVISOR_UNAVAILABLE") || own.aborted) throw error;
          await this.disconnect();
          await this.connect({ fresh: false, deadlineMs }, own);
          return await question(this.connection as unknown as RunningVm, own);
        }
      },
      () => this.#silent(`did not answer within ${deadlineMs} ms`),
    );
  }

  /** Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A guest that came from elsewhere into a stand-in is something else than its process was started for. */
  async learnSpec(spec: VmSpec): Promise<void> {
    this.input = { ...this.input, spec };
    // What it is is told by what it is compared with, and that a connection is given at its start.
    await this.disconnect();
  }

  async disconnect(): Promise<void> {
    const { connection } = this;
    this.connection = null;
    try {
      await connection?.[Symbol.asyncDispose]();
    } catch {
      // It was lost already; letting go of it is all that was wanted.
    }
  }

  /** Lets go of it; the guest itself is not touched. */
  async release(): Promise<void> {
    this.#released.abort();
    this.#listeners.clear();
    this.#onEvent = null;
    await this.#line?.end();
    await Promise.resolve(this.#admission?.[Symbol.asyncDispose]()).catch(() => {});
    await this.disconnect();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #whenEnded(): { readonly promise: Promise<never>; readonly forget: () => void } {
    let forget = () => {};
    const promise = new Promise<never>((_, reject) => {
      const look = () => {
        if (this.exit !== null)
          reject(new OdoroboError("HYPERVISOR_FAILED", `${this.#what} ended (${describeExit(this.exit)})`));
      };
      forget = this.onChange(look);
      look();
    });
    promise.catch(() => {});
    return { promise, forget };
  }

  #silent(how: string): OdoroboError {
    return new OdoroboError("HYPERVISOR_UNAVAILABLE", `${this.#what} ${how}`, {
      hint: `look at its output on the node: ${this.input.paths.logFolder}`,
    });
  }

  get #what(): string {
    return `${this.hypervisor.kind} of ${this.input.name}`;
  }
}

export type GuestHappening = HypervisorEvent | { readonly kind: "console-lost"; readonly message: string };

export interface GuestConnectOptions {
  readonly fresh: boolean;
  readonly fromSnapshot?: string;
  readonly deadlineMs: number;
}

export function describeExit(exit: ExitStatus): string {
  if (exit.outOfMemory) return `killed by ${exit.signal ?? "the kernel"}: the host had no memory left for it`;
  if (exit.signal !== null) return `killed by ${exit.signal}`;
  return exit.code === null ? "how is not known" : `exit status ${exit.code}`;
}
