/**
 * What a guest said, in a file that rotates: `console.log`, and before that `console.log.1`, `.2`, `.3`.
 *
 * Invariants: `append` never waits and never throws. What is waiting to be written is bounded by whoever calls (`backlog`,
 * `skip`). What could not be written is counted, and a line in the log says how much, as soon as one can be written.
 * Nothing is synced: a guest's chatter is not worth a disk's time, and a host that crashes has other troubles.
 */
import { type FileHandle, open, rename } from "node:fs/promises";
import { isErrno } from "../../model/errors.ts";
import type { Logger } from "../../platform/logger.ts";

export interface LogLimits {
  /** The size at which a file is put aside. */
  readonly maxBytes: number;
  /** How many files are kept beside the current one. */
  readonly generations: number;
}

/** 32 MiB a guest at most: weeks of a quiet server, an hour of a debug kernel. */
export const LOG_LIMITS: LogLimits = { maxBytes: 8 * 1024 * 1024, generations: 3 };

/** The last lines of a guest are written in a millisecond, or the disk hangs. */
const CLOSE_MS = 1_000;

export class ConsoleLog {
  readonly #path: string;
  readonly #limits: LogLimits;
  readonly #logger: Logger;
  readonly #written: () => void;
  #file: FileHandle | null = null;
  #size = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #lostBytes = 0;
  #problem: string | null = null;
  #writing: Promise<void> | null = null;
  /** The disk did not keep up: until it has caught up, nothing more is given to it. */
  #isSkipping = false;

  /** `written`: called whenever something that waited was written or given up. */
  constructor(path: string, options: { readonly limits: LogLimits; readonly logger: Logger; written(): void }) {
    this.#path = path;
    this.#limits = options.limits;
    this.#logger = options.logger;
    this.#written = options.written;
  }

  append(bytes: Buffer): void {
    this.#waitingBytes += bytes.length;
    if (this.#isSkipping) {
      this.#lose(bytes.length, new TooSlow());
      return;
    }
    this.#waiting.push(bytes);
    this.#writing ??= this.#writeAll();
  }

  /** Bytes that somebody should wait for. */
  backlog(): number {
    return this.#isSkipping ? 0 : this.#waitingBytes;
  }

  /** Nobody waits for the disk any longer: what it has not been given yet is lost. */
  skip(): void {
    if (this.#writing === null) return;
    this.#isSkipping = true;
    const bytes = this.#waiting.reduce((sum, each) => sum + each.length, 0);
    this.#waiting = [];
    this.#lose(bytes, new TooSlow());
  }

  /** When everything is written that can be. A disk that hangs is waited for a moment only: it closes the file when it comes back. */
  async close(): Promise<void> {
    const closed = this.#closeWhenWritten();
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([closed, patience]);
    clearTimeout(timer);
  }

  async #closeWhenWritten(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => {});
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting.length === 1 ? (this.#waiting[0] as Buffer) : Buffer.concat(this.#waiting);
      this.#waiting = [];
      let done = 0;
      try {
        await this.#ownUp();
        while (done < bytes.length) {
          const count = await this.#write(bytes.subarray(done));
          done += count;
          this.#waitingBytes -= count;
        }
      } catch (error) {
        this.#lose(bytes.length - done, error);
      }
      this.#written();
    }
    // Here and not when the promise has resolved: what is appended in between would wait for ever.
    this.#writing = null;
    this.#isSkipping = false;
  }

  /** At most as much as fits into this file. */
  async #write(bytes: Buffer): Promise<number> {
    if (this.#size >= this.#limits.maxBytes) await this.#rotate();
    this.#file ??= await this.#open();
    const room = Math.max(1, this.#limits.maxBytes - this.#size);
    const { bytesWritten } = await this.#file.write(bytes, 0, Math.min(bytes.length, room));
    this.#size += bytesWritten;
    return bytesWritten;
  }

  async #open(): Promise<FileHandle> {
    const file = await open(this.#path, "a", 0o600);
    this.#size = (await file.stat()).size;
    return file;
  }

  async #rotate(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
    const { generations } = this.#limits;
    for (let age = generations - 1; age >= 0; age--) {
      await rename(olderLog(this.#path, age), olderLog(this.#path, age + 1)).catch((error) => {
        if (!isErrno(error, "ENOENT")) throw error;
      });
    }
    this.#size = 0;
  }

  #lose(bytes: number, cause: unknown): void {
    this.#waitingBytes -= bytes;
    this.#lostBytes += bytes;
    const problem = cause instanceof Error ? cause.message : String(cause);
    // Once for each trouble, not for each line of a guest that goes on talking.
    if (this.#problem === null) this.#logger.warn({ err: cause, file: this.#path }, "a console cannot be logged");
    this.#problem = problem;
    this.#written();
  }

  /** Says what is missing, where it is missing. */
  async #ownUp(): Promise<void> {
    if (this.#lostBytes === 0) return;
    const note = Buffer.from(
      `\r\n[odorobo: ${this.#lostBytes} bytes were not logged here: ${this.#problem ?? "unknown"}]\r\n`,
    );
    for (let done = 0; done < note.length; ) done += await this.#write(note.subarray(done));
    this.#logger.info({ file: this.#path, lostBytes: this.#lostBytes }, "a console is logged again");
    this.#lostBytes = 0;
    this.#problem = null;
  }
}

class TooSlow extends Error {
  constructor() {
    super("the disk is slower than the guest");
  }
}

/** Where the log of `age` rotations ago is; 0 is the current one. */
export const olderLog = (path: string, age: number): string => (age === 0 ? path : `${path}.${age}`);
