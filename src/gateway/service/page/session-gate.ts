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
}

export const sessionGate =
  (gate: Gate, { sessions, isOwnOrigin, clientCertificates }: SessionGateOptions): Gate =>
  async (knock) => {
    const id = sessionIn(knock.headers);
    const mayBe = id !== null && knock.transport === "tcp" && !knock.headers.has("authorization");
    if (!mayBe || (clientCertificates && knock.certificate === null)) return await gate(knock);
    const caller = await sessions.find(id);
    if (caller === null) return await gate(knock);
    refuseOtherPages(knock, isOwnOrigin);
    return caller;
  };

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
