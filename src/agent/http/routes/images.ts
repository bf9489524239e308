/**
 * /v1/images: what this node has fetched, and what it is to fetch.
 *
 * `?waitSeconds=N` holds the answer to a fetch open until it has ended, at most that long: then it says how far it is, and is asked again by its id.
 */
import type { ImageFetchRequest, PruneRequest } from "../../../model/image-fetch.ts";
import { json } from "../../../platform/http/answers.ts";
import { type Call, numberOf, readDocument } from "../calls/call.ts";

const MAX_WAIT_SECONDS = 60;

export const getImages = async ({ parts }: Call): Promise<Response> =>
  json(200, { images: await parts.lifecycle.images.list() });

export async function postImageFetch(call: Call): Promise<Response> {
  const request = await readDocument<ImageFetchRequest>(call, "image-fetch-request");
  const waitSeconds = numberOf(call, "waitSeconds", { max: MAX_WAIT_SECONDS, fallback: 0 });
  return json(200, await call.parts.lifecycle.images.fetch(request, waitSeconds * 1000, call.signal));
}

export async function postImagePrune(call: Call): Promise<Response> {
  const request = await readDocument<PruneRequest>(call, "image-prune-request");
  return json(200, await call.parts.lifecycle.images.prune(request));
}
