/**
 * What of the page and of signing in is answered before anybody is known.
 *
 *   platform/http/server.ts → http/unguarded.ts → [page-door.ts] → page-files.ts, session-routes.ts
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Door } from "../../../platform/http/door/door.ts";
import { sendAnswer, toRequest } from "../../../platform/http/node-messages.ts";
import { OidcRoutes } from "../oidc/oidc-routes.ts";
import { PageFiles } from "./page-files.ts";
import { deleteSession, getSignIn, postSession, type SessionRouteParts, wrongMethod } from "./session-routes.ts";

export interface PageDoor {
  isWanted(method: string, path: string): boolean;
  /** Rejects with what the door has against it. */
  answer(request: IncomingMessage, response: ServerResponse, door: Door): Promise<void>;
}

export interface PageDoorOptions extends SessionRouteParts {
  readonly files: PageFiles;
  /** Null: nobody else is asked who people are. */
  readonly provider: OidcRoutes | null;
}

/** How long a browser may stop reading. */
const STALLED_MS = 60_000;

export function openPageDoor(options: PageDoorOptions): PageDoor {
  const { files, provider } = options;
  const answer = async (request: Request, incoming: IncomingMessage, door: Door): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const method = request.method === "HEAD" ? "GET" : request.method;
    if (pathname === "/v1/sign-in") return method === "GET" ? getSignIn(options) : wrongMethod(pathname, "GET");
    if (pathname === "/v1/session") {
      if (method === "DELETE") return deleteSession(options, request);
      if (method !== "POST") return wrongMethod(pathname, "POST, DELETE");
      return await postSession(options, request, (headers) => door.enter(incoming, headers, false));
    }
    if (provider !== null && OidcRoutes.isWanted(pathname))
      return method === "GET" ? await provider.answer(request) : wrongMethod(pathname, "GET");
    return await files.answer(request);
  };
  return {
    isWanted: (method, path) =>
      path === "/v1/sign-in" ||
      path === "/v1/session" ||
      (provider !== null && OidcRoutes.isWanted(path)) ||
      ((method === "GET" || method === "HEAD") && PageFiles.isWanted(path)),
    async answer(incoming, response, door) {
      const gone = new AbortController();
      response.on("close", () => gone.abort());
      const request = toRequest(incoming, gone.signal, "gateway");
      await sendAnswer(await answer(request, incoming, door), incoming, response, STALLED_MS);
    },
  };
}
