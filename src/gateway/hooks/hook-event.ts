/** What a webhook says, whichever forge sent it: a hint to look, never a wish that is carried out as it stands. */

export const FORGE_KINDS = ["github", "gitlab", "gitea", "forgejo", "bitbucket", "generic"] as const;
export type ForgeKind = (typeof FORGE_KINDS)[number];

export type HookEvent =
  /** `ref`: whole, `refs/heads/main`. `commit` null: the ref was deleted, or the sender does not say. */
  | { readonly kind: "push"; readonly ref: string; readonly commit: string | null }
  | {
      readonly kind: "pull-request";
      readonly number: number;
      readonly action: "opened" | "updated" | "closed";
      readonly head: { readonly ref: string; readonly commit: string };
      readonly base: { readonly ref: string };
    }
  | { readonly kind: "ping" }
  /** Something that we do nothing about. `what`: the forge's own word for it. */
  | { readonly kind: "other"; readonly what: string };

/** Why a webhook was not taken. The sender is told no more than the status says. */
export type HookRefusal =
  /** No signature, an empty one, or one that no secret of ours makes. */
  | { readonly refused: "signature"; readonly why: string }
  /** Rightly signed, and longer ago than a delivery takes. */
  | { readonly refused: "time"; readonly why: string }
  /** Rightly signed, and nothing that a forge sends. */
  | { readonly refused: "garbage"; readonly why: string }
  /** Rightly signed, and it was here before. */
  | { readonly refused: "replayed"; readonly why: string };

export type HookReading = { readonly refused: null; readonly events: readonly HookEvent[] } | HookRefusal;

/** By lower-case name; several of one name make an array or are joined, and are then no signature. */
export type HookHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HookRequest {
  readonly headers: HookHeaders;
  /** As it came: signatures are of these bytes. */
  readonly body: Buffer;
}
