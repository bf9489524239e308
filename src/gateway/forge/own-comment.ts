/** One comment of ours among those of everybody, whatever API lists and changes them. */
import { isOdoroboError } from "../../model/errors.ts";
import { statusOf } from "./forge-http.ts";

export interface SeenComment {
  readonly id: string;
  readonly text: string;
  /** By the same name as `CommentApi.ownName`; null: it does not say. */
  readonly author: string | null;
  readonly link: string | null;
}

export interface CommentApi {
  list(signal: AbortSignal): Promise<readonly SeenComment[]>;
  change(id: string, markdown: string, signal: AbortSignal): Promise<string | null>;
  make(markdown: string, signal: AbortSignal): Promise<string | null>;
  /** Null: tokens of this kind are not told whose they are. */
  ownName(signal: AbortSignal): Promise<string | null>;
}

/**
 * The oldest with the marker that is ours. Anybody may copy a marker: one of somebody else is left alone, and where the forge does
 * not say who we are, one that we may not change is not ours.
 */
export async function putOwnComment(
  api: CommentApi,
  marker: string,
  markdown: string,
  signal: AbortSignal,
): Promise<string | null> {
  const own = await api.ownName(signal);
  const comments = await api.list(signal);
  const candidates = comments.filter(({ text, author }) => text.startsWith(marker) && (own === null || author === own));
  for (const { id, text, link } of candidates) {
    // Forges end lines and texts in their own way.
    if (text.replaceAll("\r\n", "\n").trim() === markdown.trim()) return link;
    try {
      return await api.change(id, markdown, signal);
    } catch (error) {
      const status = isOdoroboError(error, "FORGE_REFUSED") ? statusOf(error) : null;
      if (status !== 403 && status !== 404) throw error;
    }
  }
  return await api.make(markdown, signal);
}
