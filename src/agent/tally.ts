/** What happens at an agent, for whoever counts it. Each is told once; none may throw or wait. */
import type { ErrorCode } from "../model/errors.ts";
import type { OperationKind } from "../wire/operations.ts";

export interface AgentTally {
  /** `code` null: it was done. */
  operationEnded(kind: OperationKind, code: ErrorCode | null, seconds: number): void;
  /** By itself: nobody asked the agent to end it. */
  guestEnded(how: GuestEnd): void;
  /** A start that was the agent's own idea. */
  guestRestarted(isDone: boolean): void;
  /** `refusedAs` null: it was let in, whatever it was answered. */
  requestAnswered(method: string, status: number, refusedAs: ErrorCode | null): void;
  consoleOpened(): void;
  consoleClosed(): void;
  consoleRefused(code: ErrorCode): void;
}

export type GuestEnd = "power-off" | "panic" | "crash" | "oom-kill";

/** Where nobody counts. */
export const NO_TALLY: AgentTally = {
  operationEnded: () => {},
  guestEnded: () => {},
  guestRestarted: () => {},
  requestAnswered: () => {},
  consoleOpened: () => {},
  consoleClosed: () => {},
  consoleRefused: () => {},
};
