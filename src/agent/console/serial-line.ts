/**
 * A line that is a stream: connects, reads until the guest is off, and connects again when the hypervisor made it anew in
 * between (which Cloud Hypervisor does when its guest reboots).
 *
 * Invariants: one connection at a time, because a second one would push the first out, or take half of the bytes. Nothing that
 * the guest said before its end is lost: after `end` the stream is read until it is empty.
 */
import type { Socket } from "node:net";
import type { SerialEnd, StreamPort } from "../serial-port.ts";
import type { Line, LineListener } from "./line.ts";
import { openEnd } from "./open-end.ts";

/** While the line is awaited: of a guest that has just been started every byte is wanted, and older versions keep none for later. */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 250;
/** A hypervisor that is gone has closed its end; one that lingers has no more to say. */
const LAST_WORDS_MS = 1_000;
/** How often it is looked whether the line is still served. */
const LOOK_MS = 15_000;
/** A guest that reboots has its line taken down and made anew: what is not served twice, this long apart, is not served. */
const LOOK_AGAIN_MS = 2_000;

export class SerialLine implements Line {
  readonly #port: StreamPort;
  readonly #listener: LineListener;
  readonly #lookMs: number;
  readonly #ending = new AbortController();
  #socket: Socket | null = null;
  #end: SerialEnd | null = null;
  #times = 0;
  #isHeld = false;
  #isCut = false;
  #finished: Promise<void> | null = null;

  /** `lookMs`: for tests, which do not wait as long. */
  constructor(port: StreamPort, listener: LineListener, { lookMs = LOOK_MS }: { readonly lookMs?: number } = {}) {
    this.#port = port;
    this.#listener = listener;
    this.#lookMs = lookMs;
  }

  open(): void {
    if (this.#ending.signal.aborted) return;
    this.#finished ??= this.#run();
  }

  get isConnected(): boolean {
    return this.#socket !== null;
  }

  write(bytes: Buffer): "written" | "wait" | "off" {
    if (this.#socket === null) return "off";
    return this.#socket.write(bytes) ? "written" : "wait";
  }

  hold(): void {
    this.#isHeld = true;
    this.#socket?.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#socket?.resume();
  }

  async end(): Promise<void> {
    this.#ending.abort();
    this.release();
    const patience = setTimeout(() => this.#socket?.destroy(), LAST_WORDS_MS);
    await this.#finished;
    clearTimeout(patience);
  }

  /**
   * Of a socket it says so and reads on until the hypervisor has closed, too: to close with something unread is a reset to the
   * other end, after which Cloud Hypervisor serves the line to nobody until its guest reboots. A terminal keeps what is unread.
   */
  async cut(): Promise<void> {
    this.#isCut = true;
    this.#ending.abort();
    if (this.#socket !== null) this.#letGo(this.#socket);
    this.release();
    const patience = setTimeout(() => this.#socket?.destroy(), LAST_WORDS_MS);
    await this.#finished;
    clearTimeout(patience);
  }

  #letGo(socket: Socket): void {
    if (this.#end?.kind === "terminal") socket.destroy();
    else socket.end();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const end = await this.#find();
      if (end === "none") return;
      const socket = end === null ? null : await openEnd(end);
      if (socket === null) {
        await sleepUnless(signal, pause);
        pause = Math.min(LAST_PAUSE_MS, pause * 1.2);
        continue;
      }
      pause = FIRST_PAUSE_MS;
      this.#end = end;
      await this.#readAll(socket);
      // Somebody else may have taken the line: who takes it back at once takes turns with them for ever.
      await sleepUnless(signal, LAST_PAUSE_MS / 10);
    }
  }

  /** A hypervisor that does not answer where it is does not hold up the end. */
  async #find(): Promise<SerialEnd | "none" | null> {
    const { signal } = this.#ending;
    const found = this.#port.find().catch(() => null);
    const { promise: ended, resolve } = Promise.withResolvers<null>();
    const onEnd = () => resolve(null);
    signal.addEventListener("abort", onEnd);
    try {
      return await Promise.race([found, ended]);
    } finally {
      signal.removeEventListener("abort", onEnd);
    }
  }

  /** Resolves when the socket has closed. */
  async #readAll(socket: Socket): Promise<void> {
    const over = new AbortController();
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    this.#socket = socket;
    socket.on("drain", () => this.#listener.writable());
    socket.on("data", (bytes) => this.#listener.received(bytes));
    if (this.#isHeld) socket.pause();
    if (this.#isCut) this.#letGo(socket);
    this.#listener.connected(++this.#times);
    const watched = this.#watch(over.signal);
    await closed;
    over.abort();
    await watched;
    this.#socket = null;
    this.#listener.writable();
  }

  /** Tells once that nobody serves it. */
  async #watch(over: AbortSignal): Promise<void> {
    const isServed = async () => (await this.#port.isServed?.().catch(() => true)) ?? true;
    if (this.#port.isServed === undefined) return;
    while (!over.aborted) {
      if (!(await isServed())) {
        await sleepUnless(over, Math.min(LOOK_AGAIN_MS, this.#lookMs));
        if (over.aborted || (await isServed())) continue;
        if (!over.aborted) this.#listener.lost();
        return;
      }
      await sleepUnless(over, this.#lookMs);
    }
  }
}

function sleepUnless(signal: AbortSignal, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
