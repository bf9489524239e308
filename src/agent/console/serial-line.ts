/**
 * One life of a guest on its serial line: connects, reads until the guest is off, and connects again when the hypervisor
 * made the socket anew in between (which Cloud Hypervisor does when its guest reboots).
 *
 * Invariants: one connection at a time, because a second one would push the first out. Nothing that the guest said before
 * its end is lost: after `end` the socket is read until it is empty.
 */
import { connect, type Socket } from "node:net";

/** While the line is awaited: of a guest that has just been started every byte is wanted, and older versions keep none for later. */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 250;
/** A Unix socket answers at once or not at all. */
const CONNECT_MS = 3_000;
/** A hypervisor that is gone has closed its socket; one that lingers has no more to say. */
const LAST_WORDS_MS = 1_000;

export interface LineListener {
  /** `times`: how often it was connected in this life, this time included. */
  connected(times: number): void;
  received(bytes: Buffer): void;
  /** What could not be written may be tried again, or never be. */
  writable(): void;
}

export class SerialLine {
  readonly #path: string;
  readonly #listener: LineListener;
  readonly #ending = new AbortController();
  #socket: Socket | null = null;
  #times = 0;
  #isHeld = false;
  #isCut = false;
  #finished: Promise<void> | null = null;

  constructor(path: string, listener: LineListener) {
    this.#path = path;
    this.#listener = listener;
  }

  /** From now on it is connected as often as need be. */
  open(): void {
    if (this.#ending.signal.aborted) return;
    this.#finished ??= this.#run();
  }

  get isConnected(): boolean {
    return this.#socket !== null;
  }

  /** `wait`: the guest does not read, `writable` will be called. `off`: nobody is there to read. */
  write(bytes: Buffer): "written" | "wait" | "off" {
    if (this.#socket === null) return "off";
    return this.#socket.write(bytes) ? "written" : "wait";
  }

  /** Stops reading, so that the guest waits. */
  hold(): void {
    this.#isHeld = true;
    this.#socket?.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#socket?.resume();
  }

  /** The guest has ended. Resolves when its last words were read. */
  async end(): Promise<void> {
    this.#ending.abort();
    this.release();
    const patience = setTimeout(() => this.#socket?.destroy(), LAST_WORDS_MS);
    await this.#finished;
    clearTimeout(patience);
  }

  /**
   * The agent stops, the guest goes on. It says so and reads on until the hypervisor has closed, too: to close with something
   * unread is a reset to the other end, after which Cloud Hypervisor 53 serves the line to nobody until its guest reboots.
   */
  async cut(): Promise<void> {
    this.#isCut = true;
    this.#ending.abort();
    this.#socket?.end();
    this.release();
    const patience = setTimeout(() => this.#socket?.destroy(), LAST_WORDS_MS);
    await this.#finished;
    clearTimeout(patience);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const socket = await connectTo(this.#path);
      if (socket === null) {
        await sleepUnless(signal, pause);
        pause = Math.min(LAST_PAUSE_MS, pause * 1.2);
        continue;
      }
      pause = FIRST_PAUSE_MS;
      await this.#readAll(socket);
      // Somebody else may have taken the line: who takes it back at once takes turns with them for ever.
      await sleepUnless(signal, LAST_PAUSE_MS / 10);
    }
  }

  /** Resolves when the socket has closed. */
  async #readAll(socket: Socket): Promise<void> {
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    this.#socket = socket;
    socket.on("drain", () => this.#listener.writable());
    socket.on("data", (bytes) => this.#listener.received(bytes));
    if (this.#isHeld) socket.pause();
    if (this.#isCut) socket.end();
    this.#listener.connected(++this.#times);
    await closed;
    this.#socket = null;
    this.#listener.writable();
  }
}

/** Null: nobody answers. */
function connectTo(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    // What it is does not matter: "close" follows each, and is the end of the line.
    socket.on("error", () => {});
    socket.setTimeout(CONNECT_MS, () => socket.destroy());
    const onClose = () => resolve(null);
    socket.once("close", onClose);
    socket.once("connect", () => {
      socket.off("close", onClose);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
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
