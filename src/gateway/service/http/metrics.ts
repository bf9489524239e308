/** GET /metrics, for Prometheus. */
import type { Call } from "./call.ts";

export async function getMetrics({ parts }: Call): Promise<Response> {
  const body = Buffer.from(await parts.metrics.render());
  return new Response(body, {
    headers: {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": "no-store",
    },
  });
}
