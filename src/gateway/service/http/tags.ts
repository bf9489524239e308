/** Answers that need not be given again. */
import type { Call } from "./call.ts";

/** Asked for again each time, by whoever was given it alone, and given on as it is. */
export const REVALIDATED = "private, no-cache, no-transform";

/** The client has what is tagged so. */
export const isKnown = ({ request }: Pick<Call, "request">, tag: string): boolean =>
  (request.headers.get("if-none-match") ?? "")
    .split(",")
    // A proxy that zips an answer calls its tag weak.
    .some((each) => each.trim().replace(/^W\//, "") === `"${tag}"`);

export const notModified = (tag: string): Response =>
  new Response(null, { status: 304, headers: { etag: `"${tag}"`, "cache-control": REVALIDATED } });
