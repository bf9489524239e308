/** One journal as a file: an event a line, only ever added to. A line that was cut off by a crash never happened. */
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { isErrno, OdoroboError } from "../model/errors.ts";
import { RUN_VERSIONS, type RunEvent } from "../run/journal.ts";

const NEWLINE = 10;
const CHUNK_BYTES = 64 * 1024;

/** Reads on from where it was: whoever looks on is given what is new. */
export class JournalReader {
  readonly #path: string;
  #read = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes of whole lines so far. */
  get length(): number {
    return this.#read;
  }

  /** Throws RUN_UNREADABLE, or the system's error. */
  next(): RunEvent[] {
    const file = openSync(this.#path, "r");
    try {
      const chunks: Buffer[] = [];
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let at = this.#read; ; ) {
        const length = readSync(file, chunk, 0, CHUNK_BYTES, at);
        if (length === 0) break;
        chunks.push(Buffer.from(chunk.subarray(0, length)));
        at += length;
      }
      const bytes = Buffer.concat(chunks);
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      this.#read += end;
      const lines = bytes.subarray(0, end).toString("utf8").split("\n").slice(0, -1);
      return lines.map((line) => this.#parse(line));
    } finally {
      closeSync(file);
    }
  }

  #parse(line: string): RunEvent {
    try {
      const event = JSON.parse(line) as RunEvent;
      if (typeof event.event !== "string" || typeof event.at !== "string") throw new Error("no event of a run");
      if (event.event === "begun" && !RUN_VERSIONS.includes(event.version))
        throw new OdoroboError(
          "RUN_UNREADABLE",
          `it was begun by an odorobo with journals of version ${event.version}`,
          {
            hint: "carry it on with the odorobo that began it, or make a new plan",
          },
        );
      return event;
    } catch (error) {
      if (error instanceof OdoroboError) throw error;
      throw new OdoroboError("RUN_UNREADABLE", `its journal ${this.#path} is damaged`, {
        cause: error,
        hint: "make a new plan: what the run did stays done",
      });
    }
  }
}

export class JournalWriter implements Disposable {
  readonly #path: string;
  readonly #file: number;
  #length: number;

  /** `length`: of what is whole in it. What stands behind that was cut off, and goes. */
  constructor(path: string, length: number | null) {
    this.#path = path;
    this.#file = openSync(path, "a", 0o600);
    this.#length = length ?? 0;
    ftruncateSync(this.#file, this.#length);
  }

  /** Throws FILE_UNWRITABLE. Survives the end of the process; `sync`: also that of the machine. */
  append(event: RunEvent, options: { readonly sync?: boolean } = {}): void {
    try {
      const line = Buffer.from(`${JSON.stringify(event)}\n`);
      for (let written = 0; written < line.length; ) written += writeSync(this.#file, line, written);
      if (options.sync === true) fsyncSync(this.#file);
      this.#length += line.length;
    } catch (error) {
      this.#cutBack();
      throw new OdoroboError("FILE_UNWRITABLE", `the run's journal ${this.#path} could not be written to`, {
        cause: error,
        hint: isErrno(error, "ENOSPC") ? "make room, then: odorobo runs attach" : "then: odorobo runs attach",
      });
    }
  }

  /** What was written of a line goes again: the next one would be taken for its rest. */
  #cutBack(): void {
    try {
      ftruncateSync(this.#file, this.#length);
    } catch {
      // It is cut back when the journal is opened again.
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
