/** What the forge was last told of each commit, kept in a file so that after a restart nothing is told twice and nothing forgotten. */
import { readFile } from "node:fs/promises";
import { digestOf } from "../../model/digest.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import type { Logger } from "../../platform/logger.ts";
import type { CommitStatus } from "./forge.ts";

/** A fleet's loop remembers some tens of revisions; pull requests come on top. */
const MOST = 500;

export class ToldStatuses {
  readonly #path: string | null;
  readonly #log: Logger;
  /** By commit and context; the one told last at the end. */
  #told: Map<string, string>;
  #writing: Promise<void> | null = null;
  #isBehind = false;

  private constructor(path: string | null, log: Logger, told: Map<string, string>) {
    this.#path = path;
    this.#log = log;
    this.#told = told;
  }

  /** `path` null: only as long as this process lives. A file that cannot be understood is as good as none: all is told again. */
  static async open(path: string | null, log: Logger): Promise<ToldStatuses> {
    const text = path === null ? "" : await readFile(path, "utf8").catch(() => "");
    return new ToldStatuses(path, log, parse(text));
  }

  has(status: CommitStatus): boolean {
    return this.#told.get(keyOf(status)) === digestOf(status);
  }

  /** Whatever it was told of that. */
  knows(status: Pick<CommitStatus, "commit" | "context">): boolean {
    return this.#told.has(keyOf(status));
  }

  note(status: CommitStatus): void {
    const key = keyOf(status);
    this.#told.delete(key);
    this.#told.set(key, digestOf(status));
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= MOST) break;
      this.#told.delete(oldest);
    }
    this.#isBehind = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
  }

  async settled(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#path !== null && this.#isBehind) {
      this.#isBehind = false;
      try {
        await writeFileAtomically(this.#path, `${JSON.stringify([...this.#told])}\n`);
      } catch (err) {
        // It is told again after the next restart, which does no harm.
        this.#log.warn({ err }, `what the forge was told cannot be written to ${this.#path}`);
      }
    }
  }
}

const keyOf = ({ commit, context }: Pick<CommitStatus, "commit" | "context">): string => `${commit} ${context}`;

function parse(text: string): Map<string, string> {
  try {
    const entries: unknown = JSON.parse(text);
    if (!Array.isArray(entries)) return new Map();
    return new Map(
      entries.filter(
        (each): each is [string, string] =>
          Array.isArray(each) && each.length === 2 && each.every((part) => typeof part === "string"),
      ),
    );
  } catch {
    return new Map();
  }
}
