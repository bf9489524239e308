/**
 * Whether what an agent said last is still all that it has to say: while its line of events is up, has been heard of lately, and nothing
 * came on it since the agent was asked. In every other case nobody knows, and it is asked.
 *
 *   gateway/loop/follow-agents.ts (lines) → [agent-news.ts] → held-fleet.ts (asks)
 */
import type { NodeName } from "../../model/names.ts";
import type { EventLine } from "../../wire/follow-events.ts";

/** An agent's heartbeats are 15 s apart; one that hangs is asked, and then silent, soon after it has missed one. */
const HEARD_MS = 20_000;
/** Some events are told before what they tell of is in the report: who was asked this soon after one is asked again. */
const SETTLING_MS = 2_000;

export interface NewsLine extends EventLine {
  /** Something has happened there. */
  told(): void;
  /** Nobody follows it any more. */
  close(): void;
}

interface Line {
  isUp: boolean;
  heardAt: number;
  toldAt: number;
  /** When the question was put that its last answer is to; null: it is to be asked. */
  askedAt: number | null;
  /** Raised when what was asked before is worth nothing any more. */
  doubts: number;
}

function doubt(line: Line): void {
  line.askedAt = null;
  line.doubts++;
}

const NEVER = Number.NEGATIVE_INFINITY;

export class AgentNews {
  readonly #lines = new Map<NodeName, Line>();
  readonly #now: () => number;

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Of one stream of events; the line before it says nothing any more. */
  open(node: NodeName): NewsLine {
    const line: Line = { isUp: false, heardAt: NEVER, toldAt: NEVER, askedAt: null, doubts: 0 };
    this.#lines.set(node, line);
    return {
      up: () => {
        line.isUp = true;
        line.heardAt = this.#now();
        doubt(line);
      },
      heard: () => {
        line.heardAt = this.#now();
      },
      told: () => {
        line.toldAt = line.heardAt = this.#now();
      },
      down: () => {
        line.isUp = false;
      },
      close: () => {
        line.isUp = false;
        if (this.#lines.get(node) === line) this.#lines.delete(node);
      },
    };
  }

  /** Before it is asked; to be called when it has answered. */
  ask(node: NodeName): () => void {
    const line = this.#lines.get(node);
    if (line === undefined) return () => {};
    const askedAt = this.#now();
    const { doubts } = line;
    line.askedAt = null;
    return () => {
      if (line.doubts === doubts) line.askedAt = askedAt;
    };
  }

  isStillAll(node: NodeName): boolean {
    const line = this.#lines.get(node);
    if (line === undefined || !line.isUp || line.askedAt === null) return false;
    const { heardAt, toldAt, askedAt } = line;
    return this.#now() - heardAt <= HEARD_MS && askedAt - toldAt >= SETTLING_MS;
  }

  /** Everybody is to be asked. */
  doubtAll(): void {
    for (const line of this.#lines.values()) doubt(line);
  }
}
