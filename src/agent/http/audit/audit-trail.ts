/**
 * What becomes an entry of the audit log, and what it says.
 *
 *   node-server.ts → [audit-trail.ts] → audit-log.ts
 *
 * An operation that outlasts its request is followed to its end, so that the log says how it ended, whoever still listens.
 */
import type { ErrorCode } from "../../../model/errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import { TokenBuckets } from "../../../platform/http/door/token-buckets.ts";
import type { OperationKind, OperationResult } from "../../../wire/operations.ts";
import type { OrderTerm } from "../../../wire/order-term.ts";
import type { Lifecycle } from "../../lifecycle/lifecycle.ts";
import type { AuditEntry, AuditedRequest, AuditLog } from "./audit-log.ts";

/** What is found out about a request on its way, for the audit log to say. */
export interface RequestNotes {
  vm: string | null;
  /** Null for its kind: only its result says whether it creates or updates. */
  operation: { readonly id: string; readonly kind: OperationKind | null } | null;
  /** Why it was refused. */
  code: ErrorCode | null;
  /** In which a cluster's leader ordered it; null: nobody's. */
  term: OrderTerm | null;
}

export const noNotes = (): RequestNotes => ({ vm: null, operation: null, code: null, term: null });

/** What is known before anybody looks at who it is. */
export interface Asked {
  readonly method: string;
  /** As it came, with its query. */
  readonly url: string;
  /** Null on the agent's own socket. */
  readonly address: string | null;
}

export interface AuditedConsoleSession {
  opened(): void;
  closed(bytesTyped: number): void;
}

export interface AuditTrail extends Disposable {
  answered(asked: Asked, caller: Caller | null, notes: RequestNotes, status: number, durationMs: number): void;
  console(asked: Asked, caller: Caller): AuditedConsoleSession;
  consoleRefused(asked: Asked, caller: Caller | null, code: ErrorCode): void;
  /** Of who shows a ticket and no name. `code` null: it was let in. */
  arrival(asked: Asked, code: ErrorCode | null): void;
}

/** Where nobody asks later who it was: benches, and tests of something else. */
export const NO_AUDIT: AuditTrail = {
  answered: () => {},
  console: () => ({ opened: () => {}, closed: () => {} }),
  consoleRefused: () => {},
  arrival: () => {},
  [Symbol.dispose]: () => {},
};

/** Strangers who are turned away have so many lines at once, and one a second. */
const CROWD = { burst: 100, perSecond: 1 };

/** Followed at the same time; what is beyond has no line for its end. As many as are asked for in a minute of the highest rate. */
const MAX_FOLLOWED = 10_000;

/** Beside the events, for an end that was not announced. */
const RECHECK_MS = 5_000;

export function openAuditTrail(
  log: AuditLog,
  operations: Pick<Lifecycle, "operation" | "events">,
  clock: Clock,
): AuditTrail {
  const followed = new Map<string, AuditedRequest>();
  const crowd = new TokenBuckets(CROWD, 1);
  let unsaid = 0;
  let stopFollowing = () => {};

  /** What strangers make us write is bounded. */
  const write = (entry: AuditEntry, isStranger: boolean) => {
    if (isStranger && !crowd.take("strangers", clock.monotonicMs())) {
      unsaid++;
      return;
    }
    flushCrowd();
    log.write(entry);
  };
  const flushCrowd = () => {
    if (unsaid > 0) log.write({ event: "more-refused", count: unsaid });
    unsaid = 0;
  };

  const look = () => {
    for (const [id, request] of followed) {
      const result = operations.operation(id, request.vm ?? undefined);
      if (result?.outcome === "running") continue;
      followed.delete(id);
      const { operation, vm } = request;
      if (operation === null || result === null) continue;
      log.write({ event: "operation-ended", vm: vm ?? result.vm, operation, ...endOf(result) });
    }
    if (followed.size === 0) stopFollowing();
  };
  const follow = (id: string, request: AuditedRequest) => {
    if (followed.size >= MAX_FOLLOWED) return;
    followed.set(id, request);
    if (followed.size > 1) return;
    // The end may be told just before it is written down.
    const unsubscribe = operations.events.subscribe(() => setImmediate(look));
    const recheck = setInterval(look, RECHECK_MS).unref();
    stopFollowing = () => {
      unsubscribe();
      clearInterval(recheck);
      stopFollowing = () => {};
    };
  };

  return {
    answered(asked, caller, notes, status, durationMs) {
      if (["GET", "HEAD", "OPTIONS"].includes(asked.method)) return;
      const result = notes.operation === null ? null : operations.operation(notes.operation.id, notes.vm ?? undefined);
      const entry: AuditedRequest = {
        event: "request",
        ...visitorOf(asked, caller),
        method: asked.method.slice(0, 20),
        path: pathOf(asked.url),
        vm: notes.vm?.slice(0, 200) ?? null,
        operation: notes.operation === null ? null : { ...notes.operation, kind: result?.kind ?? notes.operation.kind },
        status,
        ...outcomeOf(result, notes, status),
        durationMs: Math.round(durationMs),
        ...(notes.term !== null && { term: `${notes.term.fleet} ${notes.term.epoch}.${notes.term.number}` }),
      };
      write(entry, caller === null);
      if (entry.outcome === "running" && entry.operation !== null && !followed.has(entry.operation.id))
        follow(entry.operation.id, entry);
    },
    console(asked, caller) {
      const openedAt = clock.monotonicMs();
      const about = { ...visitorOf(asked, caller), path: pathOf(asked.url), vm: vmIn(asked.url), code: null };
      return {
        opened: () => write({ event: "console-opened", ...about, durationMs: 0, bytesTyped: 0 }, false),
        closed(bytesTyped) {
          const durationMs = Math.round(clock.monotonicMs() - openedAt);
          write({ event: "console-closed", ...about, durationMs, bytesTyped }, false);
        },
      };
    },
    consoleRefused(asked, caller, code) {
      const about = { ...visitorOf(asked, caller), path: pathOf(asked.url), vm: vmIn(asked.url), code };
      write({ event: "console-refused", ...about, durationMs: 0, bytesTyped: 0 }, caller === null);
    },
    arrival(asked, code) {
      const event = code === null ? "arrival-opened" : "arrival-refused";
      write({ event, ...visitorOf(asked, null), path: pathOf(asked.url), vm: vmIn(asked.url), code }, code !== null);
    },
    [Symbol.dispose]() {
      stopFollowing();
      flushCrowd();
    },
  };
}

function outcomeOf(
  result: OperationResult | null,
  notes: RequestNotes,
  status: number,
): Pick<AuditedRequest, "outcome" | "code"> {
  // A refusal says so whatever became of an earlier operation with the same id; a caller that went away (499) refuses nothing.
  const isRefused = status >= 400 && status !== 499;
  if (!isRefused && result?.outcome === "running") return { outcome: "running", code: null };
  if (!isRefused && result !== null) return endOf(result);
  return { outcome: isRefused ? "refused" : status === 499 ? "failed" : "done", code: notes.code };
}

const endOf = (result: OperationResult) =>
  ({ outcome: result.outcome === "failed" ? "failed" : "done", code: result.error?.code ?? null }) as const;

const visitorOf = ({ address }: Asked, caller: Caller | null) => ({
  caller: caller?.name ?? null,
  role: caller?.role ?? null,
  address: address ?? "unix",
});

/** A query may hold what somebody put there by mistake: a token. */
const pathOf = (url: string): string => (url.split("?")[0] ?? "").slice(0, 200);

const vmIn = (url: string): string | null => /\/vms\/([^/?]+)/.exec(url)?.[1]?.slice(0, 200) ?? null;
