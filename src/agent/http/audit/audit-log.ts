/**
 * Who changed what: `<data>/audit.log`, JSON lines, one for each request that is not a GET (refused ones too), for each console
 * that is opened and closed, and for the end of each operation that outlasted its request. Never a body, a query or a header.
 *
 * Invariants: `write` never waits and never throws; what is waiting for the disk is bounded; what is lost is counted in the log
 * as soon as it can be written again. Lines are not synced one by one: what an agent was doing when its host died is in its journal.
 */
import type { ErrorCode } from "../../../model/errors.ts";
import type { Instant } from "../../../model/names.ts";
import type { Role } from "../../../model/role.ts";
import type { Clock } from "../../../platform/clock.ts";
import { rarely } from "../../../platform/http/door/rarely.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { OperationKind } from "../../../wire/operations.ts";
import { RotatingLines } from "./rotating-lines.ts";

/** Who it was, and from where. */
export interface AuditedVisitor {
  /** Null: nobody that we know. */
  readonly caller: string | null;
  readonly role: Role | null;
  /** `unix` for the agent's own socket. */
  readonly address: string;
}

/** The id is a plan's step where an apply asked for it. Null for its kind: refused before it was known. */
export interface AuditedOperation {
  readonly id: string;
  readonly kind: OperationKind | null;
}

export interface AuditedRequest extends AuditedVisitor {
  readonly event: "request";
  readonly method: string;
  /** At most 200 characters, without its query. */
  readonly path: string;
  readonly vm: string | null;
  readonly operation: AuditedOperation | null;
  readonly status: number;
  /** `running`: the request has been answered, or its caller has gone, and an `operation-ended` will follow. */
  readonly outcome: "done" | "failed" | "running" | "refused";
  readonly code: ErrorCode | null;
  readonly durationMs: number;
  /** In which a cluster's leader ordered it: `FLEET EPOCH.NUMBER`. */
  readonly term?: string;
}

export interface AuditedEnd {
  readonly event: "operation-ended";
  readonly vm: string;
  readonly operation: AuditedOperation;
  readonly outcome: "done" | "failed";
  readonly code: ErrorCode | null;
}

export interface AuditedConsole extends AuditedVisitor {
  readonly event: "console-opened" | "console-closed" | "console-refused";
  readonly path: string;
  readonly vm: string | null;
  /** Why it was refused. */
  readonly code: ErrorCode | null;
  /** Of the whole console; both 0 before it is closed. */
  readonly durationMs: number;
  readonly bytesTyped: number;
}

/** So many strangers were refused since the last line that not each has a line. */
export interface AuditedCrowd {
  readonly event: "more-refused";
  readonly count: number;
}

/** An agent brings a guest, or one of its channels. */
export interface AuditedArrival extends AuditedVisitor {
  readonly event: "arrival-opened" | "arrival-refused";
  readonly path: string;
  readonly vm: string | null;
  /** Why it was refused. */
  readonly code: ErrorCode | null;
}

export type AuditEntry = AuditedArrival | AuditedRequest | AuditedEnd | AuditedConsole | AuditedCrowd;

export interface AuditLog extends AsyncDisposable {
  write(entry: AuditEntry): void;
  /** When everything that was written before is on the disk, or given up. */
  flushed(): Promise<void>;
}

/** 60 MiB at most: some 200,000 changes. */
const MAX_BYTES = 10 * 1024 * 1024;
const KEPT_FILES = 5;

export interface AuditOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly maxBytes?: number;
  readonly keptFiles?: number;
}

/** Opens nothing yet: an agent whose disk is broken goes on, and says in its log that it cannot tell who did what. */
export function openAuditLog(path: string, options: AuditOptions): AuditLog {
  const { clock, log, maxBytes = MAX_BYTES, keptFiles = KEPT_FILES } = options;
  const warn = rarely(clock);
  const now = (): Instant => clock.now();
  const lines = new RotatingLines(path, {
    maxBytes,
    keptFiles,
    onTrouble: (error) => warn((unsaid) => log.error({ err: error, path, unsaid }, "the audit log cannot be written")),
    lost: (count) => JSON.stringify({ at: now(), event: "lost", count }),
  });
  return {
    write: (entry) => lines.append(JSON.stringify({ at: now(), ...entry })),
    flushed: () => lines.flushed(),
    [Symbol.asyncDispose]: () => lines[Symbol.asyncDispose](),
  };
}
