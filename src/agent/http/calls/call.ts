/** What every route gets: the request, its parsed address, and the parts of the agent it may talk to. */
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { isDnsLabel, type VmName, vmName } from "../../../model/names.ts";
import { MAX_REQUEST_BYTES } from "../../../model/request-limit.ts";
import { includesRole, type Role } from "../../../model/role.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import { parseJson } from "../../../platform/http/parse-json.ts";
import type { Logger } from "../../../platform/logger.ts";
import { findRequestError, type WireDocument } from "../../../wire/check-shape.ts";
import { RUN_HEADER } from "../../../wire/routes.ts";
import type { AgentDoctor } from "../../doctor.ts";
import type { VmPaths } from "../../launch-command.ts";
import type { Lifecycle } from "../../lifecycle/lifecycle.ts";
import type { RequestNotes } from "../audit/audit-trail.ts";

export interface Parts {
  readonly lifecycle: Lifecycle;
  readonly nodeName: string;
  readonly version: string;
  readonly log: Logger;
  /** Aborts when the agent stops: waiters are answered AGENT_STOPPING, streams end. */
  readonly stopping: AbortSignal;
  /** How often an event stream says that it is still there. 15 s is below the idle timeout of every common proxy. */
  readonly heartbeatMs?: number;
  readonly clock: Clock;
  /** Where a VM's files are. */
  readonly paths: (name: VmName) => VmPaths;
  /** Where the agent answers; empty before it does. */
  readonly urls: () => readonly string[];
  /** SHA-256 of the certificate that it shows, in hex; null: it has none. Left out: it is reached by no socket. */
  readonly fingerprint?: () => string | null;
  /** Where callers below admin may have the hypervisor write. */
  readonly allowedRoots: readonly string[];
  readonly doctor: AgentDoctor;
  /** For Prometheus, as text. Left out: nobody counts here. */
  readonly metrics?: () => Promise<string>;
}

export interface Call {
  readonly request: Request;
  readonly caller: Caller;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  readonly parts: Parts;
  /** For the audit log: a route that begins an operation says which. */
  readonly notes: RequestNotes;
  /** Aborts when the client goes away or the agent stops. */
  readonly signal: AbortSignal;
}

export type RouteHandler = (call: Call) => Promise<Response>;

export interface Route {
  /** `{x}` stands for one segment, `{*x}` at the end for the rest, whatever is in it. */
  readonly path: string;
  readonly methods: Readonly<Record<string, Access>>;
}

/** The least role that may ask, and who answers. A route that looks closer (the kind of an operation) asks again by itself. */
export type Access = readonly [role: Role, handle: RouteHandler];

/** As a route's method: each that is not named. */
export const ANY_METHOD = "*";

/** Throws FORBIDDEN. */
export function requireRole(caller: Caller, needed: Role): void {
  if (includesRole(caller.role, needed)) return;
  throw new OdoroboError("FORBIDDEN", `${caller.name} has the role ${caller.role}; this needs ${needed}`, {
    hint: "use the credentials of somebody who may, or give this one the role on the node",
  });
}

export const MAX_BODY_BYTES = MAX_REQUEST_BYTES;

export function vmNameOf(call: Call): VmName {
  const name = call.params.name ?? "";
  if (isDnsLabel(name)) return vmName(name);
  throw new OdoroboError("BAD_REQUEST", `${JSON.stringify(name.slice(0, 80))} is not a VM name`, {
    hint: "a name has lower-case letters, digits and dashes, at most 63, and begins and ends with a letter or digit",
  });
}

/** A whole number of the query string; `fallback` when it is not there. */
export function numberOf(call: Call, name: string, range: { max: number; fallback: number }): number {
  const text = call.query.get(name);
  if (text === null) return range.fallback;
  if (/^\d{1,9}$/.test(text) && Number(text) <= range.max) return Number(text);
  throw new OdoroboError("BAD_REQUEST", `${name} must be a whole number from 0 to ${range.max}`);
}

/** With the run that the caller names beside the body. It is for people: what is no id of a run is as good as none. */
export function withRun<Body extends { readonly id: string }>(
  call: Call,
  body: Body,
): Body & { readonly run?: string } {
  const run = call.request.headers.get(RUN_HEADER);
  return run !== null && /^[\w.:-]{1,64}$/.test(run) ? { ...body, run } : body;
}

/** The request's body, checked against its schema. */
export async function readDocument<Document>(call: Call, document: WireDocument): Promise<Document> {
  const contentType = call.request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new OdoroboError("BAD_REQUEST", `the body must be application/json, not ${contentType || "of no type"}`, {
      hint: "send the header content-type: application/json",
    });
  }
  const value = toJson(await readBody(call.request));
  const problem = findRequestError(document, value);
  if (problem !== null) throw new OdoroboError("BAD_REQUEST", problem, { hint: `see schemas/${document}.schema.json` });
  return value as Document;
}

async function readBody(request: Request): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readBytes(request));
  } catch (error) {
    if (isOdoroboError(error)) throw error;
    throw new OdoroboError("BAD_REQUEST", "the body is not UTF-8", { cause: error });
  }
}

/** Rejects with PAYLOAD_TOO_LARGE. */
export async function readBytes(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const tooLarge = () => new OdoroboError("PAYLOAD_TOO_LARGE", `the body is larger than ${MAX_BODY_BYTES / 1024} KiB`);

function toJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OdoroboError("BAD_REQUEST", `the body ${error.message}`, { cause: error.cause });
  }
}
