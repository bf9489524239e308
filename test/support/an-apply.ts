/** Applies a plan to fake agents in virtual time, and keeps what was told on the way. */

import { RehearsedFleet } from "../../src/agent/rehearsal/rehearsed-fleet.ts";
import { type ApplyOptions, apply } from "../../src/apply/apply.ts";
import type { ApplyEvent, ApplyReport } from "../../src/apply/apply-report.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { VirtualTime } from "../../src/platform/virtual-time.ts";
import { aFleet } from "./a-fleet.ts";

/** Where the fake agents are, and what they know a guest by. */
export const TEST_MOVES = {
  addressOf: (node: string): string => `unix:///fake/${node}`,
  newTicket: (): string => `ticket-${++tickets}-of-a-test`,
};
let tickets = 0;

export class Rehearsal {
  readonly time = new VirtualTime();
  readonly fleet: RehearsedFleet;
  readonly interrupt = new AbortController();
  readonly giveUp = new AbortController();
  readonly events: ApplyEvent[] = [];

  /** Empty nodes of these names, or any fleet. */
  constructor(...nodes: string[]) {
    this.fleet = new RehearsedFleet(
      aFleet()
        .nodes(...nodes)
        .empty()
        .observed(),
      this.time,
    );
  }

  apply(plan: Plan, options: Partial<ApplyOptions> = {}): Promise<ApplyReport> {
    const applying = apply(plan, this.fleet.agent, {
      files: new Map(),
      ...TEST_MOVES,
      limits: { total: 64, perNode: 8 },
      clock: this.time,
      sleep: this.time.sleep,
      signal: this.interrupt.signal,
      hardSignal: this.giveUp.signal,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
    return this.time.until(applying);
  }

  /** The events, each in a few words. */
  get told(): string[] {
    return this.events.map(tell);
  }
}

function tell(event: ApplyEvent): string {
  switch (event.event) {
    case "started":
      return `started ${event.steps}`;
    case "step-started":
      return `begin ${event.title}`;
    case "step-retried":
      return `retry ${event.title} in ${event.inMilliseconds} ms: ${event.error.code}`;
    case "step-progress":
      return `progress ${event.id}: ${event.bytes}`;
    case "step-ended":
      return tellEnd(event.report);
    case "interrupting":
      return `interrupting ${event.inFlight}`;
    case "ended":
      return event.report.outcome;
  }
}

export function tellEnd({ outcome, title, error, skippedBecause }: ApplyReport["steps"][number]): string {
  if (skippedBecause !== null) return `skipped ${title}: ${skippedBecause}`;
  return error === null ? `${outcome} ${title}` : `${outcome} ${title}: ${error.code}`;
}
