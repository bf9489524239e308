/** How a console that was lost is found again: at the same agent when it is back, or where the guest is now. */
import { setTimeout as sleep } from "node:timers/promises";
import { isAbort, isOdoroboError, type OdoroboError } from "../../../model/errors.ts";

/** How soon one tries again; doubled up to the longest. */
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 4_000;
/** How often one looks whether a guest that is off has come up elsewhere. */
const LOOK_ELSEWHERE_MS = 2_000;

/** Tries until it succeeds. Rejects with an error that no trying helps against. */
export async function connectAgain<Line>(
  { connect, tell }: { connect(): Promise<Line>; tell(line: string): void },
  signal: AbortSignal,
): Promise<Line> {
  let told = "";
  for (let wait = FIRST_RETRY_MS; ; wait = Math.min(LONGEST_RETRY_MS, wait * 2)) {
    await sleep(wait, undefined, { signal });
    try {
      return await connect();
    } catch (error) {
      signal.throwIfAborted();
      if (!isOdoroboError(error) || !mayPass(error)) throw error;
      if (error.message !== told) tell(error.message);
      told = error.message;
    }
  }
}

/** A node that starts answers wrongly for a moment. */
const mayPass = (error: OdoroboError): boolean => error.retryable || error.code === "AGENT_PROTOCOL";

/** Resolves with true when the guest runs on another node, with false when the signal comes. */
export async function lookElsewhere(
  hasMoved: (from: string) => Promise<boolean>,
  node: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    for (;;) {
      await sleep(LOOK_ELSEWHERE_MS, undefined, { signal });
      // A node that does not answer now may answer the next time.
      if (await hasMoved(node).catch(() => false)) return true;
    }
  } catch (error) {
    if (isAbort(error)) return false;
    throw error;
  }
}
