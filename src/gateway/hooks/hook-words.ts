/** Foreign words made into events, or into `other` where they are not what they should be. */
import type { HookEvent } from "./hook-event.ts";

/** What somebody else called it, fit for a log. */
export const word = (text: string | undefined): string => (text ?? "").replace(/[^\w:. -]/g, "").slice(0, 60) || "?";

export const other = (what: string): HookEvent => ({ kind: "other", what });

/** A commit's whole name by SHA-1 or SHA-256; not the zeros that say there is none. */
export const commitOf = (text: string | undefined): string | undefined =>
  text !== undefined && /^(?!0+$)([0-9a-f]{40}|[0-9a-f]{64})$/.test(text) ? text : undefined;

/** Bitbucket tells of pull requests the first twelve digits. */
const beginningOf = (text: string | undefined): string | undefined =>
  text !== undefined && /^(?!0+$)[0-9a-f]{12,64}$/.test(text) ? text : undefined;

/** As git lets a ref be called, roughly: nothing of it is ever an option, a line of its own or a pattern. */
export const refOf = (text: string | undefined): string | undefined =>
  text !== undefined && text.length <= 500 && /^[^\s\p{C}~^:?*[\\-][^\s\p{C}~^:?*[\\]*$/u.test(text) ? text : undefined;

export function push(refText: string | undefined, after: string | undefined): HookEvent {
  const ref = refOf(refText);
  if (ref === undefined || after === undefined) return other("push");
  if (/^0+$/.test(after)) return { kind: "push", ref, commit: null };
  const commit = commitOf(after);
  return commit === undefined ? other("push") : { kind: "push", ref, commit };
}

export type PullRequest = Extract<HookEvent, { readonly kind: "pull-request" }>;

export function pullRequest(
  what: string,
  action: PullRequest["action"] | undefined,
  said: {
    readonly number: number | undefined;
    readonly head: string | undefined;
    readonly commit: string | undefined;
    readonly base: string | undefined;
  },
): HookEvent {
  const [ref, commit, base] = [refOf(said.head), beginningOf(said.commit), refOf(said.base)];
  const { number } = said;
  if (action === undefined || number === undefined || ref === undefined || commit === undefined || base === undefined)
    return other(what);
  return { kind: "pull-request", number, action, head: { ref, commit }, base: { ref: base } };
}
