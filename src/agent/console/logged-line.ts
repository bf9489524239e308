/**
 * A line that the hypervisor writes into the log by itself: whoever looks reads the file, so that nobody can hold up the guest,
 * and what the guest says is kept whether an agent is there, stands still or is gone. What is typed goes into a named pipe.
 *
 * Invariant: each byte of the log, from the moment of opening on, is received once and in order, also over files that were put
 * aside meanwhile: the hypervisor goes over to the next one in one go.
 */
import { type BigIntStats, closeSync, constants, type FSWatcher, fstatSync, openSync, watch } from "node:fs";
import { type FileHandle, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { openPlainFile } from "../../platform/plain-file.ts";
import type { Line, LineListener } from "./line.ts";

/** Where the file system does not tell of changes, or told too early. */
const LOOK_MS = 1_000;
/** While the log is awaited. */
const PAUSE_MS = 50;
const BLOCK_BYTES = 64 * 1024;

export class LoggedLine implements Line {
  readonly #place: { readonly log: string; readonly input: string | null };
  readonly #listener: LineListener;
  #file: FileHandle | null = null;
  /** What was put aside before this file was begun. Null: nothing was. */
  #olderThanFile: string | null = null;
  #position = 0;
  #watcher: FSWatcher | null = null;
  #isHeld = false;
  #isEnding = false;
  #hasNews = false;
  #wake: (() => void) | null = null;
  #typed: Socket | null = null;
  #finished: Promise<void> | null = null;

  constructor(place: { readonly log: string; readonly input: string | null }, listener: LineListener) {
    this.#place = place;
    this.#listener = listener;
  }

  open(): void {
    if (this.#isEnding) return;
    this.#finished ??= this.#run();
  }

  get isConnected(): boolean {
    return this.#file !== null;
  }

  write(bytes: Buffer): "written" | "wait" | "off" {
    if (this.#file === null || this.#place.input === null) return "off";
    this.#typed ??= this.#openInput(this.#place.input);
    if (this.#typed === null) return "off";
    return this.#typed.write(bytes) ? "written" : "wait";
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#tellNews();
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    this.release();
    await this.#finished;
    this.#typed?.destroy();
  }

  cut(): Promise<void> {
    return this.end();
  }

  async #run(): Promise<void> {
    const file = await this.#awaitLog();
    if (file === null) return;
    this.#olderThanFile = await this.#putAside();
    this.#position = (await file.stat()).size;
    this.#file = file;
    this.#listener.connected(1, this.#position);
    this.#listenTo(this.#place.log);
    try {
      while (true) {
        // Before it is read: what is said in its last moment is there then.
        const isLast = this.#isEnding;
        await this.#readOn();
        if (isLast) break;
        await this.#news();
      }
    } finally {
      this.#watcher?.close();
      const last = this.#file;
      this.#file = null;
      await last.close();
      this.#listener.writable();
    }
  }

  /** Null: it ended before there was one. */
  async #awaitLog(): Promise<FileHandle | null> {
    while (!this.#isEnding) {
      const file = await openPlainFile(this.#place.log).catch(() => null);
      if (file !== null) return file;
      await this.#news(PAUSE_MS);
    }
    return null;
  }

  async #readOn(): Promise<void> {
    while (true) {
      const file = this.#file as FileHandle;
      // Asked before it is read to its end: once there is a next one nothing is added to this.
      const next = await this.#nextAfter(file);
      await this.#readToEnd(file);
      if (next === null) return;
      this.#olderThanFile = identityOf(await file.stat({ bigint: true }));
      await file.close();
      this.#file = next;
      this.#position = 0;
      this.#listenTo(this.#place.log);
    }
  }

  async #nextAfter(file: FileHandle): Promise<FileHandle | null> {
    const [here, there] = await Promise.all([file.stat(), stat(this.#place.log).catch(() => null)]);
    if (there === null || (there.ino === here.ino && there.dev === here.dev)) {
      // Emptied by somebody: it goes on from its start.
      if (here.size < this.#position) this.#position = 0;
      return null;
    }
    const next = await openPlainFile(this.#place.log).catch(() => null);
    // Looked for afterwards: what came between the two was put aside by then.
    const between = await this.#between(file);
    if (between !== null) await next?.close();
    return between ?? next;
  }

  /** One that was begun after this file and put aside, too, before anybody looked. Null: there is none. */
  async #between(file: FileHandle): Promise<FileHandle | null> {
    const aside = await openPlainFile(`${this.#place.log}.1`).catch(() => null);
    if (aside === null) return null;
    const here = identityOf(await file.stat({ bigint: true }));
    const there = identityOf(await aside.stat({ bigint: true }));
    if (there !== here && there !== this.#olderThanFile) return aside;
    await aside.close();
    return null;
  }

  async #putAside(): Promise<string | null> {
    return await stat(`${this.#place.log}.1`, { bigint: true }).then(identityOf, () => null);
  }

  async #readToEnd(file: FileHandle): Promise<void> {
    while (true) {
      while (this.#isHeld && !this.#isEnding) await this.#news();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(BLOCK_BYTES), 0, BLOCK_BYTES, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      this.#listener.received(buffer.subarray(0, bytesRead));
    }
  }

  #listenTo(log: string): void {
    this.#watcher?.close();
    this.#watcher = null;
    try {
      this.#watcher = watch(log, { persistent: false }, () => this.#tellNews());
      this.#watcher.on("error", () => {});
    } catch {
      // No more watches, or none on this file system: it is looked at from time to time.
    }
  }

  #tellNews(): void {
    this.#hasNews = true;
    this.#wake?.();
  }

  async #news(withinMs = LOOK_MS): Promise<void> {
    if (!this.#hasNews) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, withinMs);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#hasNews = false;
  }

  /** Null: there is none, or nobody reads it. The folder is one that a guest's process writes to: no link is followed. */
  #openInput(path: string): Socket | null {
    let descriptor: number;
    try {
      // Neither to open it nor to write to it makes the agent wait.
      descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    } catch {
      return null;
    }
    if (!fstatSync(descriptor).isFIFO()) {
      closeSync(descriptor);
      return null;
    }
    const pipe = new Socket({ fd: descriptor, readable: false, writable: true });
    pipe.on("error", () => pipe.destroy());
    pipe.on("drain", () => this.#listener.writable());
    pipe.once("close", () => {
      if (this.#typed === pipe) this.#typed = null;
      this.#listener.writable();
    });
    return pipe;
  }
}

/** Also of a file whose number was given to another one since. */
const identityOf = ({ dev, ino, birthtimeNs }: BigIntStats): string => `${dev} ${ino} ${birthtimeNs}`;
