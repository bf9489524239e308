/**
 * The serial console of one VM, over all the lives of its guest: what comes in goes to the log, to the scrollback and to all
 * who look, in the same order.
 *
 *   hypervisor's terminal or socket → serial-line.ts ┬→ [console.ts] → console-log.ts, scrollback.ts, viewers
 *   hypervisor's own log → logged-line.ts ───────────┘
 *
 * Invariants:
 * - What one viewer sees, all see. Nobody who reads loses a byte, however fast the guest is: when a reader is behind, the
 *   guest waits for it.
 * - It waits `HOLD_MS` at most: a viewer that takes longer is cut off, a disk that does is left out and the log says so. So
 *   nobody harms the others for longer than that, and memory is bounded whatever guest, disk and viewers do.
 */
import { OdoroboError } from "../../model/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import { readTailBytes, sizeOf } from "../log-file.ts";
import type { SerialPort } from "../serial-port.ts";
import { ConsoleLog, LOG_LIMITS, type LogLimits } from "./console-log.ts";
import type { Line, LineListener } from "./line.ts";
import { LoggedLine } from "./logged-line.ts";
import { Scrollback, withoutOverlap } from "./scrollback.ts";
import { SerialLine } from "./serial-line.ts";
import type { LineEvent, Viewer } from "./viewer.ts";

/** 64 KiB is some 800 full lines: the boot of a Linux guest. */
const SCROLLBACK_BYTES = 64 * 1024;
/** Behind by more: the guest waits. A burst of 10,000 full lines is a fifth of it and disturbs nobody. */
const HIGH_BYTES = 4 * 1024 * 1024;
/** Behind by less: it has caught up. */
const LOW_BYTES = 1024 * 1024;
/** Whoever reads 2 MB a second keeps up; a guest's own serial port is a hundred times slower. */
const HOLD_MS = 1_500;
/** A log that takes longer to read lies on a disk that hangs; the guest's words are not kept waiting for it. */
const LOG_MS = 1_000;
/** Larger ones are cut short by some terminals' WebSocket clients. */
const FRAME_BYTES = 32 * 1024;
/** One VM has an operator or two looking; a hundred is a loop that opens consoles. */
const MAX_VIEWERS = 64;

export interface LinePlace {
  readonly port: SerialPort;
  /** Null: what the guest says is not kept. */
  readonly log: string | null;
  /** The hypervisor logs it; else the agent does, and connects whether somebody looks or not. */
  readonly loggedBy: "hypervisor" | "agent";
  /** Where other programs of this node reach the console: a Unix socket of the agent's. Left out: nowhere. */
  readonly socket?: string;
  /** Called when the hypervisor serves the line no longer, though its guest runs. */
  lost?(message: string): void;
}

const LOST = "its hypervisor serves its serial line no longer: what it says is lost until it reboots";

export interface ConsoleOptions {
  readonly logger: Logger;
  readonly logLimits?: LogLimits;
}

export class Console {
  readonly #options: ConsoleOptions;
  readonly #scrollback = new Scrollback(SCROLLBACK_BYTES);
  readonly #viewers = new Set<Viewer>();
  readonly #waitingToWrite = new Set<() => void>();
  readonly #awaitingLine = new Set<() => void>();
  #place: LinePlace | null = null;
  #line: Line | null = null;
  #log: ConsoleLog | null = null;
  /** Read and not handed on yet: what comes in one turn of the event loop goes out in one piece. */
  #gathered: Buffer[] = [];
  #handingOn: NodeJS.Immediate | null = null;
  /** While the log's end is read: nothing is handed on before it. */
  #recalling: Promise<void> | null = null;
  #hold: NodeJS.Timeout | null = null;
  /** How far a log of the hypervisor's own was when the former life ended; null: not known, so its end is shown. */
  #seenOfLog: number | null = null;
  /** The former life is still being read to its end. */
  #formerLife: Promise<void> = Promise.resolve();

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  /** A guest runs, or is being started, whose line is there or soon will be. What it returns is called when it is off. */
  begin(place: LinePlace): () => Promise<void> {
    // A life that nobody ended: there is one line, the new one.
    if (this.#line !== null) void this.#finish(this.#line, (line) => line.cut());
    const line = lineOf(place, {
      connected: (times, position) => this.#connected(times, position),
      received: (bytes) => this.#received(bytes),
      writable: () => this.#writable(),
      lost: () => this.#lost(),
    });
    this.#place = place;
    this.#line = line;
    if (place.loggedBy === "agent") this.#beginLogged(line, place);
    else if (this.#viewers.size > 0) line.open();
    return async () => {
      if (this.#line === line) await this.#finish(line, () => line.end());
    };
  }

  /** While no guest runs: what it said last. */
  async recallFrom(log: string): Promise<void> {
    if (this.#line !== null || this.#scrollback.bytes().length > 0) return;
    this.#seenOfLog = await inTimeOr(0, sizeOf(log));
    this.#recall(log, "before", 0);
    await this.#recalling;
  }

  /** The agent stops, the guest goes on. */
  async cut(): Promise<void> {
    if (this.#line !== null) await this.#finish(this.#line, (line) => line.cut());
    await this.#formerLife;
  }

  /**
   * Sends what was said lately, then what is said. Rejects with RATE_LIMITED.
   * `isWanted`: asked when it is its turn; a viewer that has left meanwhile is not added.
   */
  async add(viewer: Viewer, isWanted: () => boolean): Promise<void> {
    if (this.#viewers.size >= MAX_VIEWERS)
      throw new OdoroboError("RATE_LIMITED", `${MAX_VIEWERS} look at this console already`, {
        hint: "close those that nobody looks at",
      });
    this.#openLine();
    await this.#recalling;
    this.#handOn();
    if (!isWanted()) return;
    for (const frame of frames(this.#scrollback.bytes())) viewer.send(frame, () => {});
    this.#viewers.add(viewer);
  }

  remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    this.#relax();
  }

  /** Whether there is a line to a guest, after a while at most: one that is being started has it in an instant. */
  async isConnectedWithin(milliseconds: number): Promise<boolean> {
    this.#openLine();
    if (this.#line === null || this.#line.isConnected) return this.#line !== null;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#awaitingLine.delete(done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#awaitingLine.add(done);
    });
    return this.#line?.isConnected ?? false;
  }

  /** There is a guest, whether its line is connected or not. */
  get hasGuest(): boolean {
    return this.#line !== null;
  }

  write(bytes: Buffer): "written" | "wait" | "off" {
    return this.#line?.write(bytes) ?? "off";
  }

  /** Calls back once. */
  onWritable(listener: () => void): void {
    this.#waitingToWrite.add(listener);
  }

  /** One that the hypervisor logs is not connected before somebody looks. */
  #openLine(): void {
    if (this.#place?.loggedBy === "hypervisor") this.#line?.open();
  }

  #beginLogged(line: Line, place: LinePlace): void {
    const { log } = place;
    if (log !== null) {
      this.#log = new ConsoleLog(log, {
        limits: this.#options.logLimits ?? LOG_LIMITS,
        logger: this.#options.logger,
        written: () => this.#relax(),
      });
    }
    void this.#formerLife.then(() => {
      if (log !== null && this.#scrollback.bytes().length === 0) this.#recall(log, "before", 0);
      line.open();
    });
  }

  #connected(times: number, position?: number): void {
    const log = this.#place?.log ?? null;
    if (this.#place?.loggedBy === "hypervisor" && log !== null && times === 1)
      this.#recall(log, position === undefined ? "overlapping" : "before", this.#seenOfLog ?? 0, position);
    this.#tell(times === 1 ? "guest-started" : "rebooted");
    for (const done of [...this.#awaitingLine]) done();
  }

  /**
   * What the guest said before this agent listened. `overlapping`: the hypervisor writes each byte to log and socket, so what
   * came since the connection was made may be in both. `to`: what the log has from there on is received.
   */
  #recall(log: string, how: "before" | "overlapping", from: number, to?: number): void {
    this.#recalling ??= inTimeOr(Buffer.alloc(0), readTailBytes(log, SCROLLBACK_BYTES, from, to)).then((earlier) => {
      const live = Buffer.concat(this.#gathered);
      this.#gathered = [how === "overlapping" ? withoutOverlap(earlier, live) : live];
      this.#scrollback.push(earlier);
      for (const viewer of this.#viewers) for (const frame of frames(earlier)) viewer.send(frame, () => {});
      this.#recalling = null;
      this.#handOn();
    });
  }

  #received(bytes: Buffer): void {
    this.#gathered.push(bytes);
    this.#handingOn ??= setImmediate(() => this.#handOn());
  }

  #handOn(): void {
    if (this.#recalling !== null) return;
    if (this.#handingOn !== null) clearImmediate(this.#handingOn);
    this.#handingOn = null;
    const bytes = this.#gathered.length === 1 ? (this.#gathered[0] as Buffer) : Buffer.concat(this.#gathered);
    this.#gathered = [];
    if (bytes.length === 0) return;
    this.#scrollback.push(bytes);
    this.#log?.append(bytes);
    for (const frame of frames(bytes)) for (const viewer of this.#viewers) viewer.send(frame, () => this.#relax());
    if (this.#areBehind(HIGH_BYTES)) this.#holdGuest();
  }

  #areBehind(limit: number): boolean {
    if (this.#log !== null && this.#log.backlog() > limit) return true;
    for (const viewer of this.#viewers) if (viewer.backlog() > limit) return true;
    return false;
  }

  #holdGuest(): void {
    if (this.#hold !== null) return;
    this.#line?.hold();
    this.#hold = setTimeout(() => this.#giveUpOnTheSlow(), HOLD_MS);
  }

  #relax(): void {
    if (this.#hold === null || this.#areBehind(LOW_BYTES)) return;
    clearTimeout(this.#hold);
    this.#hold = null;
    this.#line?.release();
  }

  #giveUpOnTheSlow(): void {
    if (this.#log !== null && this.#log.backlog() > LOW_BYTES) this.#log.skip();
    for (const viewer of [...this.#viewers]) {
      if (viewer.backlog() <= LOW_BYTES) continue;
      this.#viewers.delete(viewer);
      viewer.drop();
    }
    this.#relax();
  }

  #writable(): void {
    const waiting = [...this.#waitingToWrite];
    this.#waitingToWrite.clear();
    for (const listener of waiting) listener();
  }

  #lost(): void {
    this.#received(Buffer.from(`\r\n[odorobo: ${LOST}]\r\n`));
    this.#tell("line-lost");
    this.#place?.lost?.(LOST);
  }

  #tell(event: LineEvent): void {
    this.#handOn();
    for (const viewer of [...this.#viewers]) viewer.tell(event);
  }

  /** Resolves when the last words of that life have been handed on and logged. */
  async #finish(line: Line, close: (line: Line) => Promise<void>): Promise<void> {
    const log = this.#log;
    const place = this.#place;
    this.#line = null;
    for (const done of [...this.#awaitingLine]) done();
    const closed = (async () => {
      await close(line);
      await this.#recalling;
      this.#tell("guest-off");
      if (place?.loggedBy === "hypervisor" && place.log !== null)
        this.#seenOfLog = await inTimeOr(0, sizeOf(place.log));
      await log?.close();
      if (this.#log === log) this.#log = null;
    })();
    this.#formerLife = closed;
    await closed;
  }
}

function lineOf({ port, log }: LinePlace, listener: LineListener): Line {
  if (port.kind === "stream") return new SerialLine(port, listener);
  if (log === null) throw new Error("a line that is its log has one");
  return new LoggedLine({ log, input: port.input }, listener);
}

/** What is found out about the log, unless its disk takes too long or fails. */
function inTimeOr<Found>(otherwise: Found, asked: Promise<Found>): Promise<Found> {
  return new Promise((resolve) => {
    const done = (found: Found) => {
      clearTimeout(timer);
      resolve(found);
    };
    const timer = setTimeout(() => resolve(otherwise), LOG_MS);
    asked.then(done, () => done(otherwise));
  });
}

function* frames(bytes: Buffer): Generator<Buffer> {
  for (let from = 0; from < bytes.length; from += FRAME_BYTES) yield bytes.subarray(from, from + FRAME_BYTES);
}
