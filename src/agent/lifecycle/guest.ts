/**
 * A running guest as the agent holds it: its process (if its hypervisor has one), the control connection (if it answers),
 * and one place to hear that something about it may have changed.
 *
 * Invariants: one connection at a time. After `release` nothing calls back any more.
 */
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { GuestStatus, Hypervisor, LaunchInput, RunningVm } from "../hypervisor/hypervisor.ts";
import type { ExitStatus, ProcessHandle, Supervisor } from "../supervisor/supervisor.ts";
import { within } from "./deadline.ts";

export class Guest {
  readonly hypervisor: Hypervisor;
  readonly input: LaunchInput;
  readonly process: ProcessHandle | null;
  /** How its process ended; null while it runs, or for a guest without a process. */
  exit: ExitStatus | null = null;
  connection: RunningVm | null = null;
  /** Resolves when its probe succeeded; null while there is none to wait for. */
  readiness: Promise<void> | null = null;
  readonly #released = new AbortController();
  readonly #listeners = new Set<() => void>();

  constructor(parts: {
    readonly hypervisor: Hypervisor;
    readonly input: LaunchInput;
    readonly process: ProcessHandle | null;
    readonly supervisor: Supervisor;
  }) {
    this.hypervisor = parts.hypervisor;
    this.input = parts.input;
    this.process = parts.process;
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
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      const forget = this.onChange(() => {
        if (this.exit === null) return;
        clearTimeout(timer);
        forget();
        resolve();
      });
    });
    return this.exit;
  }

  /** Rejects with HYPERVISOR_UNAVAILABLE, or HYPERVISOR_FAILED as soon as the process ends. */
  async connect(options: { readonly fresh: boolean; readonly deadlineMs: number }, signal: AbortSignal): Promise<void> {
    if (this.connection !== null) return;
    const ended = this.#whenEnded();
    try {
      const connection = await within(
        options.deadlineMs,
        signal,
        (own) => {
          const attempt = this.hypervisor.connect(this.input, { fresh: options.fresh, signal: own });
          // One that comes when nobody waits any more is closed: QEMU, for one, serves a single client.
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
      connection.onChange(() => this.#changed());
      this.connection = connection;
    } finally {
      ended.forget();
    }
  }

  /** Rejects when the guest does not answer. A connection that is lost is made anew, once. */
  async status(deadlineMs: number, signal: AbortSignal): Promise<GuestStatus> {
    return this.ask(deadlineMs, signal, (connection, own) => connection.status(own));
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

export function describeExit(exit: ExitStatus): string {
  if (exit.signal !== null) return `killed by ${exit.signal}`;
  return exit.code === null ? "how is not known" : `exit status ${exit.code}`;
}
