/** The gate of a gateway with a page: who shows no token may show a session, and then nothing is changed but by the page itself. */
import { OdoroboError } from "../../../model/errors.ts";
import type { Gate, Knock } from "../../../platform/http/door/gate.ts";
import { sessionIn } from "./cookies.ts";
import type { Sessions } from "./sessions.ts";

export interface SessionGateOptions {
  readonly sessions: Sessions;
  readonly isOwnOrigin: (origin: string, host: string | null) => boolean;
  /** Everybody on TCP shows a certificate, signed in or not. */
  readonly clientCertificates: boolean;
  /** There is no other way in than a session: a provider says who people are, and nobody has a token. */
  readonly isOnlyWay: boolean;
}

export const sessionGate =
  (gate: Gate, { sessions, isOwnOrigin, clientCertificates, isOnlyWay }: SessionGateOptions): Gate =>
  async (knock) => {
    const id = sessionIn(knock.headers);
    const mayBe = id !== null && knock.transport === "tcp" && !knock.headers.has("authorization");
    const caller = mayBe && !(clientCertificates && knock.certificate === null) ? await sessions.find(id) : null;
    if (caller === null && isOnlyWay && knock.transport === "tcp") throw notSignedIn();
    if (caller === null) return await gate(knock);
    refuseOtherPages(knock, isOwnOrigin);
    return caller;
  };

const notSignedIn = () =>
  new OdoroboError("UNAUTHORIZED", "this gateway asks people to sign in", {
    hint: "open its page in a browser; for programs say tokenFile or accessFile in gateway.yaml",
  });

/** A browser sends its cookie whoever asks it to; it says truly which page asked. */
function refuseOtherPages({ headers, method, isUpgrade }: Knock, isOwnOrigin: SessionGateOptions["isOwnOrigin"]): void {
  const isLook = method === "GET" || method === "HEAD";
  if (isLook && !isUpgrade) return;
  const origin = headers.get("origin");
  if (origin === null || !isOwnOrigin(origin, headers.get("host")))
    throw new OdoroboError("FORBIDDEN", "only the gateway's own page may change anything with a session", {
      hint:
        origin === null
          ? "the request says no Origin: programs show a token instead of a cookie"
          : `the page is at ${origin.slice(0, 120)}: when that is the gateway's, behind a proxy, say so with publicUrl in gateway.yaml`,
    });
  if (isUpgrade || /^application\/json\b/i.test(headers.get("content-type") ?? "")) return;
  throw new OdoroboError("FORBIDDEN", "what a session changes is asked for with content-type: application/json", {
    hint: "forms of other pages cannot send that",
  });
}
