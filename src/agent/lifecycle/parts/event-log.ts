/** What happened on this node, for those who listen: the last events, numbered. */

import type { Clock } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { AgentEvent } from "../../../wire/operations.ts";

/** A thousand events of some 200 bytes: enough to bridge a reconnect, small enough to forget about. */
const KEPT_EVENTS = 1000;

export interface EventLog {
  /** Events after this sequence number that are still kept; `complete` is false when older ones were dropped in between. */
  since(sequence: number): { readonly events: readonly AgentEvent[]; readonly complete: boolean };
  /** Returns the function that ends the subscription. */
  subscribe(listener: (event: AgentEvent) => void): () => void;
}

export interface WritableEventLog extends EventLog {
  emit(event: Pick<AgentEvent, "kind" | "vm" | "message">): void;
}

/** A listener that fails is logged: who tells of an event must neither fail with it nor leave the others untold. */
export function createEventLog(clock: Clock, logger: Logger): WritableEventLog {
  // Numbers go on rising over agent restarts, so that an id of an earlier life is never taken for one of this life.
  // 100 per millisecond is more than an agent can make.
  const first = Date.parse(clock.now()) * 100;
  let last = first;
  let events: AgentEvent[] = [];
  const listeners = new Set<(event: AgentEvent) => void>();
  return {
    emit(event) {
      const numbered: AgentEvent = { sequence: ++last, at: clock.now(), ...event };
      events.push(numbered);
      // Cut in halves: shifting a thousand items at each event would be the work of a thousand.
      if (events.length > 2 * KEPT_EVENTS) events = events.slice(-KEPT_EVENTS);
      for (const listener of listeners) {
        try {
          listener(numbered);
        } catch (error) {
          logger.error({ err: error, event: numbered.kind }, "somebody who listens to events failed");
        }
      }
    },
    since(sequence) {
      const after = events.filter((event) => event.sequence > sequence);
      const kept = events.at(0)?.sequence ?? first + 1;
      return { events: after, complete: sequence >= kept - 1 };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
