/** How agents and gateways answer: a resource as it now is, or `{code, message, hint}` with the code's status. */
import { type OdoroboError, toErrorBody } from "../../model/errors.ts";

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const body = Buffer.from(JSON.stringify(value));
  return new Response(body, {
    status,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": "no-store",
      ...headers,
    },
  });
}

export const errorAnswer = (error: OdoroboError, headers: Readonly<Record<string, string>> = {}): Response =>
  json(error.status, toErrorBody(error), { ...headersFor(error), ...headers });

/** What HTTP wants to be said with some refusals. */
export function headersFor(error: OdoroboError): Readonly<Record<string, string>> {
  if (error.code === "UNAUTHORIZED") return { "www-authenticate": "Bearer" };
  // The slowest of our limits lets one in every two seconds.
  if (error.code === "RATE_LIMITED") return { "retry-after": "2" };
  return {};
}

/** An answer that stays open. Not cached, not gathered up by a proxy. */
export function stream(contentType: string, body: ReadableStream<Uint8Array>): Response {
  return new Response(body, {
    headers: { "content-type": contentType, "cache-control": "no-store, no-transform", "x-accel-buffering": "no" },
  });
}
