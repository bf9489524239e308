/** What `odorobo watch --json` prints, one document a line. Described by `schemas/watch-event.schema.json`. */
import type { ChangeClass } from "../../model/change-class.ts";
import type { Action } from "../../model/changes.ts";
import type { ErrorCode } from "../../model/errors.ts";
import type { Instant } from "../../model/names.ts";

export interface WatchedChange {
  readonly name: string;
  readonly action: Action;
  readonly class: ChangeClass;
}

interface Trouble {
  /** Null: it is no trouble. */
  readonly code: ErrorCode | null;
  readonly message: string | null;
  readonly hint: string | null;
}

export type Happening =
  | { readonly event: "watching"; readonly folder: string }
  /** An agent of this process keeps the guests; it answers others, too. */
  | { readonly event: "agent"; readonly node: string; readonly address: string }
  | ({
      readonly event: "revision";
      readonly revision: string;
      /** What made us look. */
      readonly what: string;
      readonly standing: string;
    } & Trouble)
  /** A plan waits for an answer. */
  | {
      readonly event: "asked";
      readonly revision: string;
      readonly plan: string;
      /** It waits as that one, for `odorobo runs approve`; null: it is kept nowhere. */
      readonly run: string | null;
      readonly changes: readonly WatchedChange[];
    }
  | {
      readonly event: "drift";
      readonly reverted: readonly WatchedChange[];
      readonly left: readonly WatchedChange[];
    }
  | ({ readonly event: "trouble"; readonly revision: string } & Trouble)
  /** Revisions may be seen late, or not at all. */
  | ({ readonly event: "source" } & Trouble)
  /** An answer came too late: the plan is no longer asked about. */
  | { readonly event: "void"; readonly plan: string; readonly by: string }
  /** Somebody else's run has the fleet. */
  | { readonly event: "held"; readonly run: string }
  | { readonly event: "run"; readonly run: string; readonly steps: number }
  | {
      readonly event: "step";
      readonly run: string;
      readonly title: string;
      readonly outcome: "done" | "failed" | "skipped";
      readonly code: ErrorCode | null;
      readonly message: string | null;
    }
  | {
      readonly event: "stopped";
      /** Guests that were running when the fleet was last seen: they go on. */
      readonly running: readonly string[];
      /** Nodes that did not answer then: what runs there nobody knows. */
      readonly unseen: readonly string[];
      /** A run that is left paused; null: none. */
      readonly run: string | null;
    };

export type WatchEvent = { readonly kind: "WatchEvent"; readonly version: 1; readonly at: Instant } & Happening;
