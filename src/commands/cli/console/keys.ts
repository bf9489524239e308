/** What is typed, or comes through a pipe → the guest, and what is for us → done here. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConsoleConnection } from "../../../wire/open-console.ts";
import { createEscapeReader, describeEscape, type EscapeKey, type KeyAct } from "./escape-keys.ts";

export interface KeySettings {
  readonly keyboard: NodeJS.ReadStream;
  /** On a terminal only: a pipe may hold any byte. */
  readonly escapeKey: EscapeKey;
  readonly readonly: boolean;
  /** Null where there is none. */
  readonly window: TerminalWindow | null;
  /** A line for people, between what the guest says. */
  tell(line: string): void;
}

export interface TerminalWindow {
  size(): { readonly cols: number; readonly rows: number };
  /** Returns what ends the listening. */
  onChange(listener: () => void): () => void;
}

/** A pipe that is faster than a serial line waits. Keys are never held up: one of them leaves. */
const MOST_UNSENT_BYTES = 256 * 1024;
const UNSENT_LOOK_MS = 20;

/** Listens from now on. While there is no connection, a pipe waits, and keys for the guest are lost. */
export class Keys implements Disposable {
  /** Resolves when the person wants to leave. */
  readonly left: Promise<"left">;
  readonly #leave: (left: "left") => void;
  readonly #settings: KeySettings;
  readonly #read: (bytes: Uint8Array) => readonly KeyAct[];
  readonly #onInput = (bytes: Buffer) => this.#take(bytes);
  #connection: ConsoleConnection | null = null;
  /** Of a pipe, from before the connection. */
  #waiting: Buffer[] = [];
  #isToldReadonly = false;
  #isOver = false;

  constructor(settings: KeySettings) {
    this.#settings = settings;
    this.#read = createEscapeReader(settings.keyboard.isTTY ? settings.escapeKey : { kind: "none" });
    const { promise, resolve } = Promise.withResolvers<"left">();
    this.left = promise;
    this.#leave = resolve;
    // The end of a pipe only means that nothing more will be typed: the guest's answer is still to come.
    settings.keyboard.on("data", this.#onInput);
  }

  connect(connection: ConsoleConnection): void {
    this.#connection = connection;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) this.#take(bytes);
    if (!this.#settings.keyboard.isTTY) this.#settings.keyboard.resume();
  }

  disconnect(): void {
    this.#connection = null;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#settings.keyboard.off("data", this.#onInput);
    this.#settings.keyboard.pause();
  }

  #take(bytes: Buffer): void {
    const { keyboard } = this.#settings;
    if (!keyboard.isTTY && this.#connection === null) {
      this.#waiting.push(bytes);
      keyboard.pause();
      return;
    }
    for (const act of this.#read(bytes)) {
      this.#do(act);
      if (act.kind === "leave") return;
    }
    if (!keyboard.isTTY) void this.#slowDown();
  }

  #do(act: KeyAct): void {
    const { escapeKey, tell, window } = this.#settings;
    switch (act.kind) {
      case "send":
        this.#send(act.bytes);
        break;
      case "reset":
        this.#connection?.request({ type: "reset_session" });
        break;
      case "tell-size":
        this.#send(sizeCommand(window));
        break;
      case "help":
        tell(describeEscape(escapeKey) ?? "");
        break;
      case "leave":
        this.#leave("left");
    }
  }

  #send(bytes: Uint8Array): void {
    const { readonly, keyboard, tell } = this.#settings;
    if (!readonly) {
      this.#connection?.send(bytes);
    } else if (!this.#isToldReadonly) {
      this.#isToldReadonly = true;
      if (keyboard.isTTY) tell("read-only: nothing that is typed reaches the guest");
    }
  }

  async #slowDown(): Promise<void> {
    const { keyboard } = this.#settings;
    const isBehind = () => (this.#connection?.unsentBytes() ?? 0) > MOST_UNSENT_BYTES;
    if (!isBehind() || keyboard.isPaused()) return;
    keyboard.pause();
    while (isBehind() && !this.#isOver) await sleep(UNSENT_LOOK_MS);
    if (!this.#isOver) keyboard.resume();
  }
}

/** A serial line knows no size: a shell in the guest is told by typing. */
function sizeCommand(window: TerminalWindow | null): Uint8Array {
  const size = window?.size();
  return Buffer.from(size === undefined ? "" : `stty rows ${size.rows} cols ${size.cols}\r`);
}
