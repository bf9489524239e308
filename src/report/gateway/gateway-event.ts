/** What a gateway streams at /v1/events, one document each (`schemas/gateway-event.schema.json`). */
import type { ErrorCode } from "../../model/errors.ts";
import type { Instant } from "../../model/names.ts";
import type { ShownChange } from "./gateway-documents.ts";
import type { FleetNews } from "./page-documents.ts";

interface Trouble {
  /** Null: it is no trouble. */
  readonly code: ErrorCode | null;
  readonly message: string | null;
  readonly hint: string | null;
}

export type GatewayHappening =
  | ({
      readonly event: "revision";
      readonly revision: string;
      readonly what: string;
      readonly commit: string | null;
      readonly standing: string;
    } & Trouble)
  /** A plan waits for an answer. */
  | {
      readonly event: "asked";
      readonly revision: string;
      readonly plan: string;
      readonly run: string | null;
      readonly changes: readonly ShownChange[];
    }
  | { readonly event: "drift"; readonly reverted: readonly ShownChange[]; readonly left: readonly ShownChange[] }
  | ({ readonly event: "trouble"; readonly revision: string } & Trouble)
  /** An answer came for what is no longer asked about. */
  | { readonly event: "void"; readonly plan: string; readonly by: string }
  /** Somebody else has the fleet: with a run, or with a loop of their own. */
  | { readonly event: "held"; readonly run: string | null; readonly by: string | null }
  /** Nothing new is begun before what is remembered can be written down. */
  | ({ readonly event: "unkept" } & Trouble)
  | { readonly event: "run"; readonly run: string; readonly steps: number }
  | { readonly event: "step-begun"; readonly run: string; readonly step: string; readonly title: string }
  | {
      readonly event: "step";
      readonly run: string;
      readonly step: string;
      readonly title: string;
      readonly outcome: "done" | "failed" | "skipped";
      readonly code: ErrorCode | null;
      readonly message: string | null;
    }
  | { readonly event: "run-ended"; readonly run: string }
  /** Something of it is another. It is not kept: who comes back is told to read. */
  | FleetNews
  /** The repository cannot be looked at; without a code: it can again. */
  | ({ readonly event: "source"; readonly since: Instant | null } & Trouble);

export type GatewayEvent = {
  readonly kind: "GatewayEvent";
  readonly version: 1;
  /** For Last-Event-ID. */
  readonly id: string;
  readonly at: Instant;
  readonly fleet: string;
} & GatewayHappening;
