/** What a scenario gets, and what it gives: rows of the table. */
import type { Row } from "./row.ts";

export interface Bench {
  /** A folder of this run's own with a short path, gone at the end. */
  readonly scratch: string;
  /** Small sizes, one run each, nothing judged: to see that everything works. */
  readonly quick: boolean;
  /** For every process: caches lie in the scratch folder. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** What is being done, for who waits. */
  readonly say: (text: string) => void;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly run: (bench: Bench) => Promise<Row[]>;
}
