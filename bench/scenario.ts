/** What a scenario gets, and what it gives: rows of the table. */
import type { Row } from "./row.ts";
import type { Tree } from "./tree.ts";

export interface Bench {
  /** A folder of this run's own with a short path, gone at the end. */
  readonly scratch: string;
  /** Small sizes, one run each, nothing judged: to see that everything works. */
  readonly quick: boolean;
  /** `--out FOLDER`: what can be looked at afterwards goes there. Null: nowhere. */
  readonly out: string | null;
  /** `--installed FOLDER`: where the work tree's command is, built. Null: it is built when it is first needed. */
  readonly installed: string | null;
  /** The work tree. */
  readonly ours: Tree;
  /** `--against REV`: what it is compared with. Null: nothing. */
  readonly base: Tree | null;
  readonly signal: AbortSignal;
  /** What is being done, for who waits. */
  readonly say: (text: string) => void;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Measures `base` beside `ours`, in turns, when there is one. */
  readonly compares?: true;
  readonly run: (bench: Bench) => Promise<Row[]>;
}
