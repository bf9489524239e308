/**
 * What the manifests said at one moment, and how far it has come. States are data: whoever shows them, keeps them or decides about them
 * sees the same.
 *
 *   seen ─► read ─► planned ─► waiting ─► applying ─► applied
 *     │       │        │  └──────────────►   │  └───► failed ─► waiting, applied
 *     └───────┴────────┴──► refused, replaced, unchanged
 */

import type { GatewayPolicy } from "../../model/desired-state.ts";
import type { ErrorCode } from "../../model/errors.ts";
import type { Digest, Instant, VmName } from "../../model/names.ts";

export type RevisionId = string;

/** In the order in which a revision goes through them; it may leave some out, and goes back only from `planned` or `waiting` to `read`. */
export const STANDINGS = [
  "seen",
  /** Its manifests are without mistakes. */
  "read",
  "planned",
  /** For a person's approval, for a window, or because all is suspended: the reason says which. */
  "waiting",
  "applying",
  "applied",
  /** Begun, and not all of it was done. It stays in force and is tried again: then it waits, or is applied, after all. */
  "failed",
  /** Nothing of it was or will be begun: broken, forbidden, or turned down by a person. */
  "refused",
  /** A newer one came before this one had begun, or before all of it was done. */
  "replaced",
  /** It says what the one in force says. */
  "unchanged",
] as const;
export type Standing = (typeof STANDINGS)[number];

const FINAL: ReadonlySet<Standing> = new Set(["applied", "failed", "refused", "replaced", "unchanged"]);
export const isFinal = (standing: Standing): boolean => FINAL.has(standing);

export interface Because {
  /** Null: it is no trouble. */
  readonly code: ErrorCode | null;
  /** For people. Of broken manifests: all the diagnostics. */
  readonly message: string;
  readonly hint?: string | undefined;
}

export interface Revision {
  readonly id: RevisionId;
  /** For people: what made us look. */
  readonly what: string;
  /** Null: no git. */
  readonly commit: string | null;
  readonly standing: Standing;
  /** Of its standing. */
  readonly because: Because | null;
  /** Since when it stands so. */
  readonly at: Instant;
  /** Null: not read yet. */
  readonly digest: Digest | null;
  readonly policy: GatewayPolicy;
  /** The manifests were away for a while and name fewer VMs since: what destroys is asked for, whatever policy says. */
  readonly isDoubtful: boolean;
  /** VMs that plans of it changed because of the manifests: what is left of that is never mere drift. */
  readonly own: readonly VmName[];
  /** What none of its plans has seen as made or wanted to make yet: nobody took it away. Left out: nothing, or not known. */
  readonly unseen?: readonly string[];
  /** VMs of which a person does not want the change. */
  readonly declined: readonly VmName[];
}
