/**
 * Follows the file that Cloud Hypervisor writes its events to (see docs/decisions/0011-events-in-a-file.md).
 *
 *   cloud-hypervisor → events.json → [event-tail.ts] → history.ts, guest.ts
 *
 * Invariants:
 * - An event is told once, in order, also across agents: how far the file was read stands beside it, with what was learned.
 * - The file is cut when it has grown: the process writes on at its own position, so positions stay what they were, the
 *   part in front becomes a hole without blocks, and what was lost between reading and cutting shows as zeros: a gap.
 * - After a gap the listener is told, so that it can ask the hypervisor instead.
 */
import { constants, type FSWatcher, statSync, watch } from "node:fs";
import { type FileHandle, rename, rm, writeFile } from "node:fs/promises";
import { openPlainFile, readPlainText } from "../../../platform/plain-file.ts";
import { EventParser, type MonitorEvent } from "./event-parser.ts";
import { type GuestHistory, type Intent, NO_HISTORY, withEvent } from "./history.ts";

/** A reboot writes some 4 KiB. The run folder is in memory on most hosts. */
const CUT_AFTER_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** Where the kernel gives no watch (all inotify watches are taken). */
const POLL_MS = 250;

export interface EventTailPaths {
  readonly events: string;
  /** How far they were read, and what was learned. */
  readonly seen: string;
}

export interface TailListener {
  /** `before`: the history without this event. */
  onEvent?(event: MonitorEvent, before: GuestHistory): void;
  /** Events were lost. */
  onGap?(): void;
}

/** Told before anybody listened. More than a guest in a reboot loop leaves behind in an hour without an agent. */
const MAX_WAITING = 10_000;

interface Seen {
  readonly offset: number;
  readonly history: GuestHistory;
}

export class EventTail implements AsyncDisposable {
  readonly #paths: EventTailPaths;
  readonly #listeners = new Set<TailListener>();
  /** Until the first listener comes. */
  #waiting: ((listener: TailListener) => void)[] | null = [];
  readonly #cutAfter: number;
  #parser = new EventParser();
  /** In the file, behind the last byte that was read. */
  #offset: number;
  #cutAt = 0;
  #history: GuestHistory;
  #saved: Seen;
  #watcher: FSWatcher | null = null;
  #poll: NodeJS.Timeout | null = null;
  #closed = false;
  #pumping: Promise<void> | null = null;
  #again = false;

  private constructor(paths: EventTailPaths, seen: Seen, cutAfter: number) {
    this.#paths = paths;
    this.#cutAfter = cutAfter;
    this.#offset = seen.offset;
    this.#cutAt = seen.offset;
    this.#history = seen.history;
    this.#saved = seen;
  }

  /**
   * Reads what is there before it resolves, and follows from then on. The file is there as soon as the API answers: the
   * process opens it first. What comes before anybody listens is kept for the first who does.
   */
  static async open(paths: EventTailPaths, options: { readonly cutAfterBytes?: number } = {}): Promise<EventTail> {
    const tail = new EventTail(paths, await readSeen(paths.seen), options.cutAfterBytes ?? CUT_AFTER_BYTES);
    tail.#follow();
    await tail.drain();
    return tail;
  }

  get history(): GuestHistory {
    return this.#history;
  }

  /** Returns the function that ends the subscription. */
  listen(listener: TailListener): () => void {
    this.#listeners.add(listener);
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const tell of waiting) tell(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Before asking for it, so that an agent that dies in between still knows. Null takes it back. */
  async noteIntent(intent: Intent | null): Promise<void> {
    this.#history = { ...this.#history, intent };
    await this.drain();
  }

  /** Of the process, for whoever finds nothing but this file. */
  noteVersion(version: string): void {
    if (version === this.#history.version) return;
    this.#history = { ...this.#history, version };
    void this.drain();
  }

  /** Once for each time that it powers off, whichever agent is there. */
  noteToldOff(): void {
    this.#history = { ...this.#history, toldOff: true };
    void this.drain();
  }

  /** A guest runs, whether its events have come or not. */
  noteRunning(): void {
    this.#history = { ...this.#history, ran: true, wentOff: false, rebooting: false, receiving: false, toldOff: false };
  }

  /** It was seen running, whatever has become of it since. */
  noteSeenRunning(): void {
    if (!this.#history.ran) this.#history = { ...this.#history, ran: true };
  }

  /** It waits for no guest any more: it has one, or none will come. */
  noteAnswering(): void {
    this.#history = { ...this.#history, receiving: false };
  }

  /** Resolves when all that is in the file by now was told. */
  async drain(): Promise<void> {
    if (this.#pumping === null && this.#isUpToDate()) return;
    if (this.#pumping !== null) this.#again = true;
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = null;
    });
    await this.#pumping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#watcher?.close();
    if (this.#poll !== null) clearInterval(this.#poll);
    await this.#pumping;
  }

  #follow(): void {
    const look = () => {
      if (!this.#closed) void this.drain();
    };
    try {
      this.#watcher = watch(this.#paths.events, { persistent: false }, look);
      this.#watcher.on("error", () => {
        this.#watcher?.close();
        this.#startPolling(look);
      });
    } catch {
      this.#startPolling(look);
    }
  }

  #startPolling(look: () => void): void {
    if (this.#closed || this.#poll !== null) return;
    this.#poll = setInterval(look, POLL_MS);
    this.#poll.unref();
  }

  /** Asked synchronously, in some microseconds: each look at the guest asks, and mostly there is nothing. */
  #isUpToDate(): boolean {
    if (this.#history !== this.#saved.history) return false;
    const size = statSync(this.#paths.events, { throwIfNoEntry: false })?.size;
    return size === undefined || size === this.#offset;
  }

  async #pump(): Promise<void> {
    do {
      this.#again = false;
      await this.#readOn().catch(() => this.#tellGap());
      await this.#save();
    } while (this.#again);
  }

  async #readOn(): Promise<void> {
    await using file = await openIfThere(this.#paths.events);
    if (file === null) return;
    const { size } = await file.handle.stat();
    // Zero: cut by us. Anything else below the offset: not the file that it was.
    if (size > 0 && size < this.#offset) {
      this.#parser = new EventParser();
      this.#offset = 0;
      this.#cutAt = 0;
      this.#tellGap();
    }
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) break;
      this.#offset += bytesRead;
      this.#take(buffer.subarray(0, bytesRead));
    }
    if (this.#offset - this.#cutAt < this.#cutAfter || this.#parser.pendingBytes > 0) return;
    this.#cutAt = this.#offset;
    // First the offset, then the cut: an agent that dies in between reads nothing twice.
    await this.#save();
    await cut(this.#paths.events);
  }

  #take(chunk: Buffer): void {
    const { events, gap } = this.#parser.push(chunk);
    for (const event of events) {
      const before = this.#history;
      this.#history = withEvent(before, event);
      this.#tell((listener) => listener.onEvent?.(event, before));
    }
    if (gap) this.#tellGap();
  }

  #tellGap(): void {
    this.#tell((listener) => listener.onGap?.());
  }

  #tell(tell: (listener: TailListener) => void): void {
    if (this.#waiting !== null && this.#waiting.length < MAX_WAITING) this.#waiting.push(tell);
    for (const listener of [...this.#listeners]) tell(listener);
  }

  /** No file to write to (the run folder is gone, the disk full) costs the next agent a repetition, nothing else. */
  async #save(): Promise<void> {
    const seen: Seen = { offset: this.#offset - this.#parser.pendingBytes, history: this.#history };
    if (seen.offset === this.#saved.offset && seen.history === this.#saved.history) return;
    this.#saved = seen;
    await replaceFile(this.#paths.seen, JSON.stringify(seen)).catch(() => {});
  }
}

/** Whole or not at all for whoever comes after this process. Not synced: the folder does not outlive the host either. */
async function replaceFile(path: string, text: string): Promise<void> {
  await rm(`${path}.tmp`, { force: true });
  await writeFile(`${path}.tmp`, text, { mode: 0o600, flag: "wx" });
  await rename(`${path}.tmp`, path);
}

async function cut(path: string): Promise<void> {
  const file = await openPlainFile(path, constants.O_WRONLY);
  try {
    await file.truncate(0);
  } finally {
    await file.close();
  }
}

async function readSeen(path: string): Promise<Seen> {
  try {
    const { offset, history } = JSON.parse(await readPlainText(path)) as Seen;
    if (Number.isSafeInteger(offset) && offset >= 0) return { offset, history: { ...NO_HISTORY, ...history } };
  } catch {
    // None yet, or not ours: everything in the file is news.
  }
  return { offset: 0, history: NO_HISTORY };
}

async function openIfThere(path: string): Promise<(AsyncDisposable & { readonly handle: FileHandle }) | null> {
  const handle = await openPlainFile(path).catch(() => null);
  return handle && { handle, [Symbol.asyncDispose]: () => handle.close() };
}
