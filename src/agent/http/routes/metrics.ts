/** GET /metrics: for Prometheus, in its text format. */
import { OdoroboError } from "../../../model/errors.ts";
import type { Call } from "../calls/call.ts";

export async function getMetrics({ parts }: Call): Promise<Response> {
  if (parts.metrics === undefined) throw new OdoroboError("NOT_FOUND", "nobody counts here");
  const body = Buffer.from(await parts.metrics());
  return new Response(body, {
    headers: {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": "no-store",
    },
  });
}
