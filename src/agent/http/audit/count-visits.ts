/** Counts what the audit trail is told of, whatever becomes a line of it. */
import type { AgentTally } from "../../tally.ts";
import type { AuditTrail } from "./audit-trail.ts";

/** Not let in at all, or not with the role that it needs. */
const REFUSALS: ReadonlySet<string> = new Set(["UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED", "AGENT_INSECURE"]);

export function countVisits(trail: AuditTrail, tally: AgentTally): AuditTrail {
  return {
    answered(asked, caller, notes, status, durationMs) {
      const { code } = notes;
      const isRefused = code !== null && (caller === null || REFUSALS.has(code));
      tally.requestAnswered(asked.method, status, isRefused ? code : null);
      trail.answered(asked, caller, notes, status, durationMs);
    },
    console(asked, caller) {
      const session = trail.console(asked, caller);
      // A viewer may be gone again before anybody is told that it came.
      let isOpen = false;
      let isOver = false;
      return {
        opened() {
          tally.consoleOpened();
          if (isOver) tally.consoleClosed();
          else isOpen = true;
          session.opened();
        },
        closed(bytesTyped) {
          if (isOpen) tally.consoleClosed();
          isOpen = false;
          isOver = true;
          session.closed(bytesTyped);
        },
      };
    },
    consoleRefused(asked, caller, code) {
      tally.consoleRefused(code);
      trail.consoleRefused(asked, caller, code);
    },
    arrival(asked, code) {
      if (code !== null) tally.consoleRefused(code);
      trail.arrival(asked, code);
    },
    [Symbol.dispose]: () => trail[Symbol.dispose](),
  };
}
