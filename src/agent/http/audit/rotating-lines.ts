/**
 * Lines at the end of a file that is put aside when it is full: `audit.log`, before that `audit.log.1`, `.2` …
 *
 * Invariants: `append` never waits and never throws; at most `MAX_WAITING` lines are held; a line is in one file, whole.
 */
import { type FileHandle, open, rename } from "node:fs/promises";
import { isErrno } from "../../../model/errors.ts";

export interface RotatingOptions {
  readonly maxBytes: number;
  /** Beside the current one. */
  readonly keptFiles: number;
  /** For each line that cannot be written. */
  readonly onTrouble: (error: unknown) => void;
  /** The line that says how many are missing. */
  readonly lost: (count: number) => string;
}

/** A few megabytes, for a disk that hangs. */
const MAX_WAITING = 10_000;

export class RotatingLines implements AsyncDisposable {
  readonly #path: string;
  readonly #options: RotatingOptions;
  #waiting: string[] = [];
  #lost = 0;
  #file: FileHandle | null = null;
  #size = 0;
  #writing: Promise<void> | null = null;

  constructor(path: string, options: RotatingOptions) {
    this.#path = path;
    this.#options = options;
  }

  append(line: string): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost++;
      this.#options.onTrouble(new Error("the disk does not keep up"));
      return;
    }
    this.#waiting.push(line);
    this.#writing ??= this.#writeAll();
  }

  async flushed(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flushed();
    await this.#close();
  }

  async #writeAll(): Promise<void> {
    // Those that come in the same moment are written together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(this.#lost === 0 ? lines : [this.#options.lost(this.#lost), ...lines]);
        this.#lost = 0;
      } catch (error) {
        this.#lost += lines.length;
        await this.#close();
        this.#options.onTrouble(error);
      }
      // Not kept open for the next line: who keeps a file open for writing keeps its disk from being taken away.
      if (this.#waiting.length === 0) await this.#close();
    }
    this.#writing = null;
  }

  async #write(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    this.#file ??= await this.#open();
    if (this.#size > 0 && this.#size + bytes.length > this.#options.maxBytes) {
      await this.#rotate();
      this.#file = await this.#open();
    }
    const size = this.#size;
    try {
      await this.#file.appendFile(bytes);
      this.#size += bytes.length;
    } catch (error) {
      // A disk that was full in the middle of a line: without its beginning the next line would be unreadable too.
      await this.#file.truncate(size).catch(() => {});
      throw error;
    }
  }

  async #open(): Promise<FileHandle> {
    const file = await open(this.#path, "a+", 0o600);
    try {
      const { size } = await file.stat();
      // As large as it was left: its last line is ours, and whole.
      const isAsLeft = size === this.#size;
      this.#size = size;
      if (size > 0 && !isAsLeft && !(await endsInLine(file, size))) {
        await file.appendFile("\n");
        this.#size += 1;
      }
      return file;
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    await this.#close();
    for (let age = this.#options.keptFiles - 1; age >= 0; age--) {
      const from = age === 0 ? this.#path : `${this.#path}.${age}`;
      await rename(from, `${this.#path}.${age + 1}`).catch((error) => {
        if (!isErrno(error, "ENOENT")) throw error;
      });
    }
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => {});
  }
}

/** A process that was killed may have left half a line: the next one must not be glued to it. */
async function endsInLine(file: FileHandle, size: number): Promise<boolean> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return bytesRead === 0 || buffer[0] === 0x0a;
}
