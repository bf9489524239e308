/** GET /v1/report: the node's whole truth in one answer, or, to who knows it already, only that there is nothing new. */
import { hash } from "node:crypto";
import { REPORT_AT_HEADER } from "../../../wire/kept-reports.ts";
import type { Call } from "../calls/call.ts";

export async function getReport({ parts, request, signal }: Call): Promise<Response> {
  const { at, ...content } = await parts.lifecycle.report(signal);
  const text = JSON.stringify(content);
  // Weak, in HTTP's words: the same content is said at another time.
  const tag = `W/"${hash("sha256", text, "base64url")}"`;
  const headers = { etag: tag, [REPORT_AT_HEADER]: at, "cache-control": "private, no-cache" };
  if (isOneOf(tag, request.headers.get("if-none-match"))) return new Response(null, { status: 304, headers });
  const body = Buffer.from(`{"at":${JSON.stringify(at)},${text.slice(1)}`);
  return new Response(body, {
    headers: { ...headers, "content-type": "application/json; charset=utf-8", "content-length": String(body.length) },
  });
}

const isOneOf = (tag: string, asked: string | null): boolean =>
  asked?.split(",").some((each) => each.trim() === tag) ?? false;
