/**
 * One connection to a D-Bus bus that heals itself. The library appears in no other file: above it stand plain values.
 *
 * Invariants: every call ends, by its answer, its deadline or the end of the connection (the library itself would wait for
 * ever). A connection that is lost is made anew, and those who listen are told, because they may have missed something.
 */
import { DBusError, Message, type MessageBus, MessageType, sessionBus, Variant } from "dbus-next";
import { OdoroboError } from "../../../model/errors.ts";
import { toConnectable } from "./bus-address.ts";

export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

export interface Signal {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Variants unwrapped. */
  readonly body: readonly unknown[];
}

/** systemd answers in milliseconds, in seconds while it reads all its units again. */
const CALL_DEADLINE_MS = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

interface Connection {
  readonly bus: MessageBus;
  /** Rejects when the connection ends. */
  readonly ended: Promise<never>;
}

export class Bus implements AsyncDisposable {
  readonly #address: string;
  readonly #greet: (call: (call: Call) => Promise<readonly unknown[]>) => Promise<void>;
  readonly #signalListeners = new Set<(signal: Signal) => void>();
  readonly #connectListeners = new Set<() => void>();
  #connection: Promise<Connection> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #retryMs = FIRST_RETRY_MS;
  #closed = false;

  /** `greet` is said on each new connection before anything else: subscriptions, above all. */
  constructor(address: string, greet: (call: (call: Call) => Promise<readonly unknown[]>) => Promise<void>) {
    this.#address = address;
    this.#greet = greet;
  }

  /**
   * The answer's values, variants unwrapped. Rejects with SUPERVISOR_UNAVAILABLE when the bus does not answer, and with
   * what `errorName` knows when the other side refused.
   */
  async call(call: Call, deadlineMs = CALL_DEADLINE_MS): Promise<readonly unknown[]> {
    return within(deadlineMs, this.#address, async () => {
      const connection = await this.#connect();
      return Promise.race([send(connection.bus, call), connection.ended]);
    });
  }

  /** Signals are heard from a moment after this on, for as long as it is not closed. */
  listen(): void {
    if (this.#connection !== null || this.#retry !== null || this.#closed) return;
    this.#connect().catch(() => {
      if (!this.#closed) this.#reconnectLater();
    });
  }

  onSignal(listener: (signal: Signal) => void): () => void {
    this.#signalListeners.add(listener);
    return () => this.#signalListeners.delete(listener);
  }

  /** Called when there is a connection (again): what happened before went unheard. */
  onConnect(listener: () => void): () => void {
    this.#connectListeners.add(listener);
    return () => this.#connectListeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const connection = this.#connection;
    this.#connection = null;
    await connection?.then(
      ({ bus }) => streamOf(bus).destroy(),
      () => {},
    );
  }

  #connect(): Promise<Connection> {
    if (this.#closed) throw unavailable(this.#address, new Error("this connection was closed"));
    if (this.#connection !== null) return this.#connection;
    const attempt = this.#open();
    this.#connection = attempt;
    attempt.then(
      ({ ended }) => {
        this.#retryMs = FIRST_RETRY_MS;
        for (const listener of [...this.#connectListeners]) listener();
        ended.catch(() => this.#lost(attempt));
      },
      () => {
        if (this.#connection === attempt) this.#connection = null;
      },
    );
    return attempt;
  }

  async #open(): Promise<Connection> {
    const bus = sessionBus({ busAddress: toConnectable(this.#address) });
    const stream = streamOf(bus);
    const ended = new Promise<never>((_, reject) => {
      const end = (cause?: unknown) => {
        // Half a connection would leave its calls waiting.
        stream.destroy();
        reject(unavailable(this.#address, cause ?? new Error("the connection was closed")));
      };
      bus.on("error", end);
      stream.on("close", () => end());
    });
    ended.catch(() => {});
    bus.on("message", (message: Message) => this.#heard(message));
    const connected = new Promise<void>((resolve) => bus.on("connect", resolve));
    try {
      await within(CALL_DEADLINE_MS, this.#address, () => Promise.race([connected, ended]));
      await within(CALL_DEADLINE_MS, this.#address, () =>
        Promise.race([this.#greet((call) => send(bus, call)), ended]),
      );
    } catch (error) {
      stream.destroy();
      throw error;
    }
    if (this.#closed) stream.destroy();
    return { bus, ended };
  }

  #heard(message: Message): void {
    if (message.type !== MessageType.SIGNAL) return;
    const body: readonly unknown[] = message.body;
    const signal = { path: message.path, interface: message.interface, member: message.member, body: body.map(unwrap) };
    for (const listener of [...this.#signalListeners]) listener(signal);
  }

  #lost(connection: Promise<Connection>): void {
    if (this.#connection === connection) this.#connection = null;
    if (!this.#closed) this.#reconnectLater();
  }

  /** Signals are only heard on a connection, so one is kept although nobody calls. */
  #reconnectLater(): void {
    if (this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
      this.#connect().catch(() => {
        if (!this.#closed) this.#reconnectLater();
      });
    }, this.#retryMs);
    this.#retry.unref();
  }
}

/** A value whose type the other side must be told: `variant("t", 1n)`. */
export const variant = (signature: string, value: unknown): unknown => new Variant(signature, value);

/** `org.freedesktop.systemd1.NoSuchUnit`, or null when this is no refusal of the other side. */
export const errorName = (error: unknown): string | null => (error instanceof DBusError ? error.type : null);

async function send(bus: MessageBus, call: Call): Promise<readonly unknown[]> {
  const { signature = "", body = [], ...rest } = call;
  const answer = await bus.call(new Message({ ...rest, signature, body: [...body] }));
  const values: readonly unknown[] = answer?.body ?? [];
  return values.map(unwrap);
}

function unwrap(value: unknown): unknown {
  if (value instanceof Variant) return unwrap(value.value);
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unwrap(each)]));
}

/** The library tells nobody of the end of a connection; its stream does. */
const streamOf = (bus: MessageBus): NodeJS.EventEmitter & { destroy(): void } =>
  (bus as unknown as { _connection: { stream: NodeJS.EventEmitter & { destroy(): void } } })._connection.stream;

async function within<Value>(deadlineMs: number, address: string, work: () => Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(unavailable(address, new Error(`no answer within ${deadlineMs / 1000} s`))),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

const unavailable = (address: string, cause: unknown): OdoroboError =>
  new OdoroboError("SUPERVISOR_UNAVAILABLE", `systemd cannot be reached over D-Bus at ${address}`, {
    cause,
    hint: "does the bus run (systemctl status dbus), and may this user talk to it? --supervisor spawn does without",
  });
