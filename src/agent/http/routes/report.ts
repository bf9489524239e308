/** GET /v1/report: the node's whole truth in one answer. */
import { json } from "../calls/answers.ts";
import type { Call } from "../calls/call.ts";

export async function getReport({ parts, signal }: Call): Promise<Response> {
  return json(200, await parts.lifecycle.report(signal));
}
