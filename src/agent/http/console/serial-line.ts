/**
 * One guest's serial line. The agent is the only client of the guest's socket (QEMU serves one at a time) and fans out to viewers.
 *
 * Invariants: what one viewer sees, all see, in the same order; a viewer that does not read never slows the others down
 * nor makes the agent hold more than `MAX_VIEWER_BACKLOG`; the line lives until the guest's socket closes.
 */
import { connect, type Socket } from "node:net";
import { readTailBytes } from "../log-file.ts";
import { Scrollback, withoutOverlap } from "./scrollback.ts";

/** 64 KiB is some 800 full lines: the boot of a Linux guest. */
const SCROLLBACK_BYTES = 64 * 1024;
/** Sixteen scrollbacks behind is not slow, it is gone. */
export const MAX_VIEWER_BACKLOG = 1024 * 1024;
const CONNECT_MS = 3_000;

export interface Viewer {
  send(bytes: Buffer): void;
  /** Bytes given to it that it has not read yet. */
  backlog(): number;
  /** It does not read: cut it off without a word, since it would not read that either. */
  drop(): void;
  /** The guest is off. */
  end(): void;
}

export class SerialLine {
  readonly #socket: Socket;
  readonly #scrollback = new Scrollback(SCROLLBACK_BYTES);
  readonly #viewers = new Set<Viewer>();

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Rejects when the guest's socket does not answer. `log`: what the guest said before anybody looked. */
  static async open(path: string, log: string | null): Promise<SerialLine> {
    const socket = await connectTo(path);
    const line = new SerialLine(socket);
    const early: Buffer[] = [];
    const gather = (bytes: Buffer) => early.push(bytes);
    socket.on("data", gather);
    const logged =
      log === null ? Buffer.alloc(0) : await readTailBytes(log, SCROLLBACK_BYTES).catch(() => Buffer.alloc(0));
    socket.off("data", gather);
    line.#scrollback.push(logged);
    // The hypervisor writes each byte to log and socket: what came since the connection was made may be in both.
    line.#receive(withoutOverlap(logged, Buffer.concat(early)));
    socket.on("data", (bytes) => line.#receive(bytes));
    return line;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  /** Calls back once, also when it has ended already. */
  onEnd(listener: () => void): void {
    if (!this.isOpen) return void setImmediate(listener);
    this.#socket.once("close", listener);
  }

  add(viewer: Viewer): void {
    viewer.send(this.#scrollback.bytes());
    this.#viewers.add(viewer);
  }

  remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /** False: the guest does not read; wait for `onDrain` before giving more. */
  write(bytes: Buffer): boolean {
    return this.isOpen ? this.#socket.write(bytes) : true;
  }

  onDrain(listener: () => void): void {
    this.#socket.once("drain", listener);
  }

  /** The guest is off, or the agent stops. */
  close(): void {
    this.#socket.destroy();
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
  }

  #receive(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#scrollback.push(bytes);
    for (const viewer of this.#viewers) {
      viewer.send(bytes);
      if (viewer.backlog() <= MAX_VIEWER_BACKLOG) continue;
      this.#viewers.delete(viewer);
      viewer.drop();
    }
  }
}

function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error(`no answer on ${path}`)));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      // From now on an error is the end of the line, which "close" tells.
      socket.on("error", () => {});
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}
