/**
 * What a loop remembers, in a file: the revisions and how far they have come, what is asked, what is carried out. Not what should be
 * (that is git), nor what is (that is the agents): with the file lost, the next loop looks at both and asks anew.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOfText } from "../../model/digest.ts";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { RunStore } from "../../run/run-store.ts";
import { type Holder, type LoopState, showHolder } from "../revision/loop-state.ts";
import { findStateError } from "./memory-shape.ts";
import type { LoopMemory } from "./parts.ts";

/** Raised when an older reader would misread it. */
const VERSION = 1;

export interface LoopMemoryOptions {
  readonly path: string;
  /** What the loop turns, such as a folder or `URL REF PATH`: what was remembered of anything else does not count. */
  readonly of: string;
  /** There was something, and it cannot be used. For people. */
  readonly onTrouble: (message: string) => void;
  /** Where it is known who has it. */
  readonly runs: Pick<RunStore, "seat">;
  readonly clock: Clock;
  /** Who this is, for whoever comes second: `odorobo watch of me@laptop, process 4711`. */
  readonly by: string;
}

/** How soon it is noticed that whoever had it is gone. */
const OWN_MS = 500;

export class LoopMemoryFile implements LoopMemory {
  readonly #options: LoopMemoryOptions;

  constructor(options: LoopMemoryOptions) {
    this.#options = options;
  }

  /** Made once, and of this machine: a copy of the folder elsewhere is another loop. */
  holder(): string {
    const path = `${this.#options.path}.id`;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(path, randomBytes(16).toString("hex"), { mode: 0o600, flag: "wx" });
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    return digestOfText(`${hostname()} ${readFileSync(path, "utf8")}`).slice(0, 32);
  }

  async own(signal: AbortSignal, onHeld: (holder: Holder) => void): Promise<AsyncDisposable> {
    const { runs, path, by, clock } = this.#options;
    let told: string | null = null;
    for (;;) {
      const seat = await runs.seat(`loop ${path}`, by, clock.now());
      if (seat.kind === "ours") return seat;
      const holder = { run: null, by: seat.by, since: seat.since };
      if (seat.by !== null && showHolder(holder) !== told) onHeld(holder);
      told = showHolder(holder);
      await sleep(OWN_MS, undefined, { signal });
    }
  }

  async load(): Promise<LoopState | null> {
    const { path, of, onTrouble } = this.#options;
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (isErrno(error, "ENOENT")) return null;
      throw new OdoroboError("FILE_UNWRITABLE", `what the loop remembers cannot be read: ${path}`, {
        cause: error,
        hint: "mend its permissions, or choose another folder",
      });
    }
    const read = parse(text, of);
    if (typeof read !== "string") return read;
    const aside = `${path}.unread`;
    renameSync(path, aside);
    onTrouble(`${path} ${read}: it is looked at anew, and asked anew; the file is kept as ${aside}`);
    return null;
  }

  /** Synchronous: nothing is begun before it is there, also should the power go. */
  keep(state: LoopState): void {
    const { path, of } = this.#options;
    const temporary = `${path}.tmp`;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const file = openSync(temporary, "w", 0o600);
      try {
        writeFileSync(file, JSON.stringify({ kind: "LoopMemory", version: VERSION, of, state }));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
    } catch (error) {
      try {
        rmSync(temporary, { force: true });
      } catch {
        // The first error is the one that says why.
      }
      throw new OdoroboError("FILE_UNWRITABLE", `what the loop remembers could not be written to ${path}`, {
        cause: error,
        hint: "nothing new begins before it can: make room, or mend the folder",
      });
    }
  }
}

/** Or what is wrong with it, as a phrase. */
function parse(text: string, of: string): LoopState | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "is damaged";
  }
  const { kind, version, of: whose, state } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (kind !== "LoopMemory") return "is not what a loop remembers";
  if (version !== VERSION) return `was written by another odorobo (version ${String(version)})`;
  if (whose !== of) return `is of ${String(whose)}`;
  const problem = findStateError(state);
  return problem === null ? (state as LoopState) : `is damaged (${problem})`;
}
