/** A bound on the whole of an exchange, however the time is spent. */
import { OdoroboError } from "../model/errors.ts";

export async function withDeadline<Result>(
  milliseconds: number,
  signal: AbortSignal,
  address: string,
  run: (within: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), milliseconds);
  try {
    return await run(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    throw new OdoroboError("AGENT_TIMEOUT", `${address} did not answer within ${milliseconds / 1000} s`, {
      cause: error,
      hint: "is the host overloaded, or the agent stuck? see its log; to wait longer: --timeout",
    });
  } finally {
    clearTimeout(timer);
  }
}
