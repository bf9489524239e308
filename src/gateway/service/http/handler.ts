/**
 * The gateway's API as one function, `Request → Response`: finds the route, asks for its role, turns what it throws into an answer.
 *
 *   gateway-door.ts → [handler.ts] → routes
 */
import { type ErrorCode, isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { includesRole, type Role } from "../../../model/role.ts";
import { errorAnswer } from "../../../platform/http/answers.ts";
import { openCallSignal, whenGiven } from "../../../platform/http/call-signal.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import type { Parts, Route } from "./call.ts";
import { streamEvents } from "./events.ts";
import { getFleet, getFleets } from "./fleets.ts";
import { getMe } from "./me.ts";
import { getMetrics } from "./metrics.ts";
import { followRun, getRun, getRunPlan, getRuns, orderRun, resumeRun } from "./runs.ts";
import { getVm } from "./vm.ts";
import { getVmHistory } from "./vm-history.ts";
import { getVmEvents, getVmLog } from "./vm-log.ts";
import { getFleetPlan, getNodes, getVms } from "./vms.ts";

const ROUTES: readonly Route[] = [
  { path: "/v1/fleets", method: "GET", role: "observe", handle: getFleets },
  { path: "/v1/fleets/{name}", method: "GET", role: "observe", handle: getFleet },
  { path: "/v1/fleets/{name}/nodes", method: "GET", role: "observe", handle: getNodes },
  { path: "/v1/fleets/{name}/plan", method: "GET", role: "observe", handle: getFleetPlan },
  { path: "/v1/fleets/{name}/vms", method: "GET", role: "observe", handle: getVms },
  { path: "/v1/fleets/{name}/vms/{vm}", method: "GET", role: "observe", handle: getVm },
  { path: "/v1/fleets/{name}/vms/{vm}/log", method: "GET", role: "observe", handle: getVmLog },
  { path: "/v1/fleets/{name}/vms/{vm}/events", method: "GET", role: "observe", handle: getVmEvents },
  { path: "/v1/fleets/{name}/vms/{vm}/history", method: "GET", role: "observe", handle: getVmHistory },
  { path: "/v1/me", method: "GET", role: "observe", handle: getMe },
  { path: "/v1/events", method: "GET", role: "observe", handle: streamEvents },
  { path: "/v1/runs", method: "GET", role: "observe", handle: getRuns },
  { path: "/v1/runs/{id}", method: "GET", role: "observe", handle: getRun },
  { path: "/v1/runs/{id}/plan", method: "GET", role: "observe", handle: getRunPlan },
  { path: "/v1/runs/{id}/events", method: "GET", role: "observe", handle: followRun },
  { path: "/v1/runs/{id}/approve", method: "POST", role: "apply", handle: orderRun("approve") },
  { path: "/v1/runs/{id}/refuse", method: "POST", role: "apply", handle: orderRun("refuse") },
  { path: "/v1/runs/{id}/pause", method: "POST", role: "apply", handle: orderRun("pause") },
  { path: "/v1/runs/{id}/abort", method: "POST", role: "apply", handle: orderRun("abort") },
  { path: "/v1/runs/{id}/resume", method: "POST", role: "apply", handle: resumeRun },
  { path: "/metrics", method: "GET", role: "observe", handle: getMetrics },
];

export const createHandler =
  (parts: Parts) =>
  async (request: Request, caller: Caller, notes: { code: ErrorCode | null }): Promise<Response> => {
    const { signal, release } = openCallSignal(
      request,
      parts.stopping,
      ...(caller.session === undefined ? [] : [caller.session.ended]),
    );
    try {
      return whenGiven(await dispatch(request, caller, parts, signal), release);
    } catch (error) {
      release();
      notes.code = isOdoroboError(error) ? error.code : null;
      if (isOdoroboError(error)) return errorAnswer(error);
      if (caller.session?.ended.aborted) return errorAnswer(signedOut());
      if (request.signal.aborted) return errorAnswer(new OdoroboError("INTERRUPTED", "the client went away"));
      parts.log.error({ err: error, method: request.method, path: new URL(request.url).pathname }, "unexpected error");
      return errorAnswer(
        new OdoroboError("INTERNAL", "the gateway failed at something it did not expect", {
          hint: "see the gateway's log",
        }),
      );
    }
  };

async function dispatch(request: Request, caller: Caller, parts: Parts, signal: AbortSignal): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const fitting = ROUTES.flatMap((route) => {
    const params = match(route.path, pathname);
    return params === null ? [] : [{ route, params }];
  });
  if (fitting.length === 0) {
    throw new OdoroboError("NOT_FOUND", `there is nothing at ${pathname.slice(0, 200)}`, {
      hint: "the routes of this gateway are in docs/gateway.md and begin with /v1/",
    });
  }
  const method = request.method === "HEAD" ? "GET" : request.method;
  const found = fitting.find(({ route }) => route.method === method);
  if (found === undefined) {
    const allowed = fitting.map(({ route }) => route.method).join(", ");
    const error = new OdoroboError("METHOD_NOT_ALLOWED", `${fitting[0]?.route.path} takes ${allowed}, not ${method}`);
    return errorAnswer(error, { allow: allowed });
  }
  const { route, params } = found;
  if (!includesRole(caller.role, route.role)) throw mayNot(caller, route.role);
  return await route.handle({ request, caller, params, query: searchParams, parts, signal });
}

const signedOut = () => new OdoroboError("UNAUTHORIZED", "the session is over", { hint: "sign in again" });

const mayNot = ({ name, role }: Caller, needed: Role): OdoroboError =>
  new OdoroboError("FORBIDDEN", `${name} has the role ${role}; this needs ${needed}`, {
    hint:
      name === "loopback"
        ? "at the gateway's machine: odorobo runs approve --state DATA-FOLDER, or refuse; from elsewhere show a token (tokenFile or accessFile in gateway.yaml)"
        : "use the credentials of somebody who may, or give this one the role in the gateway's access file",
  });

function match(pattern: string, pathname: string): Record<string, string> | null {
  const expected = pattern.split("/");
  const given = pathname.split("/");
  if (expected.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of expected.entries()) {
    const segment = given[index] ?? "";
    if (part.startsWith("{")) params[part.slice(1, -1)] = decode(segment);
    else if (part !== segment) return null;
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new OdoroboError("BAD_REQUEST", "the address has a % that is followed by no byte", { cause });
  }
}
