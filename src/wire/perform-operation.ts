/**
 * Carries one operation through, also when the connection does not: it is sent, then asked for again by its id until it
 * has ended. Sending it twice does it once, so whatever is in doubt is asked again.
 *
 *        ┌────────── 404: the agent never had it ─────────┐
 *        ▼                                                │
 *   PUT or POST ── running · cut off · agent stopping ──► GET /v1/operations/{id} ◄─┐
 *        │                                                │        running · cut off│
 *        └─ ended, or refused ──► out                     └────────────────────────-┘
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import type { OperationResult } from "./operations.ts";
import { wasNeverConnected } from "./transport-errors.ts";

export interface Patience {
  /** How long one question is held open by the agent. */
  readonly waitSeconds: number;
  /** How long an agent may be away in the middle: a restart takes seconds, a host's reboot is not waited for. */
  readonly awayMs: number;
}

export const DEFAULT_PATIENCE: Patience = { waitSeconds: 20, awayMs: 30_000 };

export interface Exchange {
  /** For people: `PUT web-1 on http://n1:8890`. */
  readonly title: string;
  readonly send: () => Promise<OperationResult>;
  readonly join: () => Promise<OperationResult>;
}

export async function performOperation(
  exchange: Exchange,
  awayMs: number,
  signal: AbortSignal,
): Promise<OperationResult> {
  let ask = exchange.send;
  let lastHeard = performance.now();
  for (let failures = 0; ; ) {
    try {
      const result = await ask();
      if (result.outcome !== "running") return result;
      lastHeard = performance.now();
      failures = 0;
      ask = exchange.join;
    } catch (error) {
      signal.throwIfAborted();
      if (!isOdoroboError(error)) throw error;
      const isFirst = ask === exchange.send && failures === 0;
      const neverHadIt = ask === exchange.join && error.code === "NOT_FOUND";
      if (isFirst && wasNeverConnected(error)) throw error;
      if (!neverHadIt && !isCut(error)) throw error;
      if (performance.now() - lastHeard > awayMs) throw wentAway(exchange.title, error);
      ask = neverHadIt ? exchange.send : exchange.join;
      failures++;
      await sleep(pauseMs(failures), undefined, { signal });
    }
  }
}

const isCut = (error: OdoroboError): boolean =>
  error.code === "AGENT_UNREACHABLE" || error.code === "AGENT_TIMEOUT" || error.code === "AGENT_STOPPING";

/** 50 ms, doubled to at most 2 s: an agent that restarts is found within a moment, one that is gone is not pestered. */
const pauseMs = (failures: number): number => Math.min(2_000, 25 * 2 ** failures);

const wentAway = (title: string, cause: OdoroboError): OdoroboError =>
  new OdoroboError("AGENT_UNREACHABLE", `the agent went away during ${title} and did not come back`, {
    cause,
    hint: "what was begun goes on or is finished when the agent is back; then plan again to see where it stands",
  });
