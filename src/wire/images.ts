/** Asks an agent for the images of its cache: what there is, to fetch one, to remove what nobody stands on. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import type { ImageFetch, ImageFetchRequest, NodeImage, Pruned, PruneRequest } from "../model/image-fetch.ts";
import { findAnswerError, type WireDocument } from "./check-shape.ts";
import { withDeadline } from "./deadline.ts";
import { routes } from "./routes.ts";
import type { Transport } from "./transport.ts";

export type ImageWish = Omit<ImageFetchRequest, "id">;

/** How often it is told how far a fetch is. */
const TOLD_EVERY_SECONDS = 1;
/** After a question that nobody answered. */
const PAUSE_MS = 500;

/**
 * Resolves when the node has it; goes on at the agent when the caller goes away. Rejects with what went wrong there, and with AGENT_UNREACHABLE when
 * the agent stays away for `awayMs`.
 */
export async function fetchImage(
  transport: Transport,
  wish: ImageWish,
  { answerMs, awayMs }: { readonly answerMs: number; readonly awayMs: number },
  onProgress: (progress: ImageFetch) => void,
  signal: AbortSignal,
): Promise<ImageFetch> {
  const request: ImageFetchRequest = { id: randomUUID(), ...wish };
  const path = `${routes.imageFetch()}?waitSeconds=${TOLD_EVERY_SECONDS}`;
  let lastHeard = performance.now();
  for (;;) {
    try {
      const heldOpenMs = answerMs + TOLD_EVERY_SECONDS * 1000;
      const fetched = await ask<ImageFetch>(transport, "POST", path, request, "image-fetch", heldOpenMs, signal);
      lastHeard = performance.now();
      if (fetched.state === "ready") return fetched;
      if (fetched.error !== null)
        throw new OdoroboError(fetched.error.code, fetched.error.message, { hint: fetched.error.hint });
      onProgress(fetched);
    } catch (error) {
      signal.throwIfAborted();
      // An agent that starts anew goes on with what came; it is only asked once more.
      const isAway = isOdoroboError(error) && AWAY.has(error.code);
      if (!isAway || performance.now() - lastHeard > awayMs) throw error;
      await sleep(PAUSE_MS, undefined, { signal });
    }
  }
}

const AWAY: ReadonlySet<string> = new Set(["AGENT_UNREACHABLE", "AGENT_TIMEOUT", "AGENT_STOPPING"]);

export const listImages = async (transport: Transport, answerMs: number, signal: AbortSignal) =>
  (
    await ask<{ readonly images: readonly NodeImage[] }>(
      transport,
      "GET",
      routes.images(),
      undefined,
      "node-images",
      answerMs,
      signal,
    )
  ).images;

export const pruneImages = (transport: Transport, request: PruneRequest, answerMs: number, signal: AbortSignal) =>
  ask<Pruned>(transport, "POST", routes.imagePrune(), request, "image-pruned", answerMs, signal);

async function ask<Answer>(
  transport: Transport,
  method: "GET" | "POST",
  path: string,
  body: unknown,
  document: WireDocument,
  withinMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  const value = await withDeadline(withinMs, signal, transport.address.text, (within) =>
    transport.askJson(
      {
        method,
        path,
        ...(body === undefined ? {} : { body }),
        headersMs: withinMs,
        silenceMs: withinMs,
        signal: within,
      },
      "what it has of images",
    ),
  );
  const problem = findAnswerError(document, value);
  if (problem !== null) throw transport.protocolError(`answered with something else about its images: ${problem}`);
  return value as Answer;
}
