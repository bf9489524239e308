/** What a gateway answers and `odorobo gateway status --json` prints (`schemas/gateway-fleet*.schema.json`). */
import type { ChangeClass } from "../../model/change-class.ts";
import type { Action } from "../../model/changes.ts";
import type { ErrorCode } from "../../model/errors.ts";
import type { Instant } from "../../model/names.ts";

/** Patterns of addresses at the forge: `{file}`, `{line}` and `{commit}` stand for what is to be put there, encoded as for a path. */
export interface ForgeLinks {
  readonly file: string;
  readonly commit: string;
}

export interface Because {
  /** Null: it is no trouble. */
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly hint: string | null;
}

export interface ShownRevision {
  readonly id: string;
  /** What made the gateway look. */
  readonly what: string;
  readonly commit: string | null;
  /** `seen`, `read`, `planned`, `waiting`, `applying`, `applied`, `failed`, `refused`, `replaced`, `unchanged`. */
  readonly standing: string;
  readonly because: Because | null;
  /** Since when it stands so. */
  readonly at: Instant;
  /** What of its policy the gateway's ceiling does not let count; null: all of it counts. */
  readonly heldBelow: string | null;
}

export interface ShownChange {
  readonly name: string;
  readonly action: Action;
  readonly class: ChangeClass;
}

export interface ShownQuestion {
  readonly revision: string;
  readonly plan: string;
  /** What is approved or refused; null: it could not be kept as a run. */
  readonly run: string | null;
  readonly changes: readonly ShownChange[];
  /** Somebody said yes, and it has not begun. */
  readonly approvedBy: string | null;
}

/** `leader`: of whoever leads, as last seen; null: nobody does, or nobody can be asked. `since`: since when that is so. */
export type ShownLeader =
  | { readonly mode: "alone" }
  | {
      readonly mode: "cluster";
      readonly leads: boolean;
      readonly leader: string | null;
      /** Where people reach that one; null: nobody said. */
      readonly url: string | null;
      readonly term: number | null;
      readonly since: Instant;
    };

export interface GatewayFleetSummary {
  /** Of the gateway's entry. */
  readonly name: string;
  /** As the manifests call it; null: none were read yet. */
  readonly fleet: string | null;
  readonly repository: { readonly url: string; readonly ref: string | null; readonly path: string | null };
  /** It was read and planned once since the gateway began. */
  readonly isReady: boolean;
  /** Why it is not ready; null: it is, or nothing is known yet. */
  readonly notReadyBecause: Because | null;
  readonly inForce: { readonly revision: string; readonly commit: string | null } | null;
  readonly latest: ShownRevision | null;
  readonly waiting: ShownQuestion | null;
  /** Since when the repository cannot be looked at, and why; null: it can. */
  readonly sourceTrouble: (Because & { readonly since: Instant }) | null;
  readonly silentNodes: readonly { readonly name: string; readonly since: Instant }[];
  /** What is known to differ from the manifests and is left so, or is put right next: `create web-1`. */
  readonly drift: readonly string[];
  /** Somebody else's run, which has the fleet. */
  readonly heldBy: string | null;
  /** What is being carried out. */
  readonly run: { readonly id: string; readonly steps: number; readonly ended: number } | null;
}

export interface GatewayFleetList {
  readonly kind: "GatewayFleetList";
  readonly version: 1;
  /** By the gateway's clock. */
  readonly now: Instant;
  readonly gateway: { readonly version: string; readonly since: Instant; readonly leader: ShownLeader };
  readonly fleets: readonly GatewayFleetSummary[];
}

export interface GatewayFleet extends GatewayFleetSummary {
  readonly kind: "GatewayFleet";
  readonly version: 1;
  readonly now: Instant;
  /** Latest first. */
  readonly revisions: readonly ShownRevision[];
  readonly vms: { readonly total: number; readonly running: number } | null;
  /** Where a browser finds commits and lines of manifests; null: no forge that is known has them. */
  readonly links: ForgeLinks | null;
}
