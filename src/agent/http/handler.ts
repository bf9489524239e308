/**
 * The agent's API as one function, `Request → Response`: the same in the process (tests, bench) and behind a socket.
 *
 *   node-server.ts → [handler.ts] → routes/ → lifecycle
 *
 * It finds the route, and turns what a route throws into an answer. Nothing unexpected leaves the house: details go to the log.
 */
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import { openCallSignal, whenGiven } from "../../platform/http/call-signal.ts";
import type { Caller } from "../../platform/http/door/caller.ts";
import { parseTerm, TERM_HEADER } from "../../wire/order-term.ts";
import { noNotes, type RequestNotes } from "./audit/audit-trail.ts";
import { ANY_METHOD, type Parts, type Route, requireRole } from "./calls/call.ts";
import { errorAnswerAt } from "./compat/answers.ts";
import { COMPAT_ROUTES } from "./compat/routes.ts";
import { getCounters } from "./routes/counters.ts";
import { getDoctor, getSupport } from "./routes/doctor.ts";
import { streamEvents } from "./routes/events.ts";
import { getHealth } from "./routes/health.ts";
import { getImages, postImageFetch, postImagePrune } from "./routes/images.ts";
import { putLease } from "./routes/lease.ts";
import { getLog } from "./routes/log.ts";
import { postLook } from "./routes/look.ts";
import { getMetrics } from "./routes/metrics.ts";
import { getOperation, postOperation } from "./routes/operations.ts";
import { getReport } from "./routes/report.ts";
import { getVm, putVm } from "./routes/vms.ts";
import { putWhereabouts } from "./routes/whereabouts.ts";

/** `caller`: whom the gate has let in. `notes`: written on, for the audit log. */
export type Handler = (request: Request, caller: Caller, notes?: RequestNotes) => Promise<Response>;

export const ROUTES: readonly Route[] = [
  { path: "/v1/health", methods: { GET: ["observe", getHealth] } },
  { path: "/v1/report", methods: { GET: ["observe", getReport] } },
  { path: "/v1/vms/{name}", methods: { GET: ["observe", getVm], PUT: ["apply", putVm] } },
  { path: "/v1/vms/{name}/operations", methods: { POST: ["operate", postOperation] } },
  { path: "/v1/vms/{name}/log", methods: { GET: ["observe", getLog] } },
  { path: "/v1/vms/{name}/counters", methods: { GET: ["observe", getCounters] } },
  { path: "/v1/vms/{name}/console", methods: { GET: ["observe", explainConsole] } },
  { path: "/v1/operations/{id}", methods: { GET: ["observe", getOperation] } },
  { path: "/v1/images", methods: { GET: ["observe", getImages] } },
  { path: "/v1/images/fetch", methods: { POST: ["apply", postImageFetch] } },
  { path: "/v1/images/prune", methods: { POST: ["apply", postImagePrune] } },
  { path: "/v1/look", methods: { POST: ["observe", postLook] } },
  { path: "/v1/doctor", methods: { GET: ["observe", getDoctor] } },
  { path: "/v1/support", methods: { GET: ["admin", getSupport] } },
  { path: "/v1/events", methods: { GET: ["observe", streamEvents] } },
  { path: "/metrics", methods: { GET: ["observe", getMetrics] } },
  { path: "/v1/fleets/{fleet}/lease", methods: { PUT: ["apply", putLease] } },
  { path: "/v1/fleets/{fleet}/whereabouts", methods: { PUT: ["apply", putWhereabouts] } },
  ...COMPAT_ROUTES,
];

/** `routes`: those of the agent, unless a test has its own. */
export function createHandler(parts: Parts, routes: readonly Route[] = ROUTES): Handler {
  return async (request, caller, notes = noNotes()) => {
    const { signal, release } = openCallSignal(request, parts.stopping);
    try {
      if (parts.stopping.aborted) throw stopping();
      return whenGiven(await dispatch(request, caller, notes, signal, parts, routes), release);
    } catch (error) {
      release();
      notes.code = isOdoroboError(error) ? error.code : null;
      const { pathname } = new URL(request.url);
      const answer = (known: OdoroboError) =>
        errorAnswerAt(pathname, known, parts.clock, allowHeader(known, pathname, routes));
      if (isOdoroboError(error)) return answer(error);
      if (parts.stopping.aborted) return answer(stopping());
      if (request.signal.aborted) return answer(new OdoroboError("INTERRUPTED", "the client went away"));
      parts.log.error({ err: error, method: request.method, path: pathname }, "unexpected error");
      return answer(
        new OdoroboError("INTERNAL", "the agent failed at something it did not expect", {
          hint: "see the agent's log",
        }),
      );
    }
  };
}

async function dispatch(
  request: Request,
  caller: Caller,
  notes: RequestNotes,
  signal: AbortSignal,
  parts: Parts,
  routes: readonly Route[],
): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const found = findRoute(routes, pathname);
  if (found === null) {
    throw new OdoroboError("NOT_FOUND", `there is nothing at ${pathname.slice(0, 200)}`, {
      hint: "the routes of this agent begin with /v1/",
    });
  }
  const { methods } = found.route;
  const access = Object.hasOwn(methods, request.method) ? methods[request.method] : methods[ANY_METHOD];
  if (access === undefined) {
    const allowed = Object.keys(found.route.methods).join(", ");
    throw new OdoroboError("METHOD_NOT_ALLOWED", `${found.route.path} takes ${allowed}, not ${request.method}`);
  }
  const [role, handle] = access;
  notes.vm = found.params.name ?? found.params.id ?? null;
  requireRole(caller, role);
  if (role !== "observe") await admitTerm(request, notes, parts);
  return await handle({ request, caller, query: searchParams, params: found.params, parts, notes, signal });
}

/** A gateway that led, and leads no more, orders nothing. */
async function admitTerm(request: Request, notes: RequestNotes, { lifecycle }: Parts): Promise<void> {
  const text = request.headers.get(TERM_HEADER);
  if (text === null) return;
  const term = parseTerm(text);
  if (term === null) throw new OdoroboError("BAD_REQUEST", `${TERM_HEADER} is not FLEET EPOCH NUMBER`);
  notes.term = term;
  await lifecycle.admit(term);
}

function findRoute(
  routes: readonly Route[],
  pathname: string,
): { route: Route; params: Record<string, string> } | null {
  const segments = pathname.split("/");
  for (const route of routes) {
    const params = matchSegments(route.path.split("/"), segments);
    if (params !== null) return { route, params };
  }
  return null;
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  const takesRest = pattern.at(-1)?.startsWith("{*") === true;
  if (takesRest ? segments.length < pattern.length : segments.length !== pattern.length) return null;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (expected.startsWith("{*")) params[expected.slice(2, -1)] = segments.slice(index).map(decodeSegment).join("/");
    else if (expected.startsWith("{")) params[expected.slice(1, -1)] = decodeSegment(segment);
    else if (expected !== segment) return null;
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new OdoroboError("BAD_REQUEST", "the address has a % that is followed by no byte", { cause: error });
  }
}

function allowHeader(error: OdoroboError, pathname: string, routes: readonly Route[]): Record<string, string> {
  if (error.code !== "METHOD_NOT_ALLOWED") return {};
  const found = findRoute(routes, pathname);
  return { allow: Object.keys(found?.route.methods ?? {}).join(", ") };
}

const stopping = () =>
  new OdoroboError("AGENT_STOPPING", "the agent is stopping", { hint: "try again when it is back; guests go on" });

async function explainConsole(): Promise<Response> {
  throw new OdoroboError("BAD_REQUEST", "the console is a WebSocket", { hint: "odorobo vm console NAME" });
}
