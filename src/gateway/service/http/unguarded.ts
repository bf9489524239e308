/** What is answered to everybody: that the process lives, and, in one word, whether it is ready. Hooks come in here, too: they are signed. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServeOptions } from "../../../platform/http/server.ts";
import type { PageDoor } from "../page/page-door.ts";
import type { Parts } from "./call.ts";

type Unguarded = NonNullable<ServeOptions<{ code: null }>["unguarded"]>;
type Answer = Unguarded["answer"];

export interface UnguardedRoutes {
  /** Of what comes to `/v1/hooks/`; left out: nothing is heard there. */
  readonly hooks?: Answer | undefined;
  /** Left out: there is none. */
  readonly page?: PageDoor | undefined;
}

export function unguardedRoutes(parts: Pick<Parts, "fleets">, { hooks, page }: UnguardedRoutes): Unguarded {
  const find = ({ url = "", method = "" }: IncomingMessage): Answer | null => {
    const path = url.replace(/\?.*/s, "");
    const isLook = method === "GET" || method === "HEAD";
    if (isLook && path === "/healthz") return async (_, response) => say(response, 200, "alive");
    if (isLook && path === "/readyz") return async (_, response) => sayReady(parts, response);
    if (hooks !== undefined && path.startsWith("/v1/hooks/")) return hooks;
    if (page?.isWanted(method, path)) return page.answer;
    return null;
  };
  return {
    isWanted: (request) => find(request) !== null,
    answer: async (request, response, door) => await find(request)?.(request, response, door),
  };
}

/** Without reasons: whoever may look finds them at /v1/fleets. */
function sayReady({ fleets }: Pick<Parts, "fleets">, response: ServerResponse): void {
  const waiting = [...fleets.values()].filter(({ view }) => !view.isReady).length;
  if (waiting === 0) say(response, 200, "ready");
  else say(response, 503, `not ready: ${waiting} of ${fleets.size} fleets; GET /v1/fleets says why`);
}

function say(response: ServerResponse, status: number, words: string): void {
  const body = `${words}\n`;
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}
