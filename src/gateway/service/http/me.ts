/** GET /v1/me: who asks, and what they may do here. */
import { json } from "../../../platform/http/answers.ts";
import type { Me } from "../../../report/gateway/page-documents.ts";
import type { Call } from "./call.ts";

export async function getMe({ caller, parts }: Call): Promise<Response> {
  const { name, role, by, session } = caller;
  const me: Me = {
    kind: "Me",
    version: 1,
    now: parts.clock.now(),
    ...{ name, role, by: by === "in-process" ? "socket" : by },
    until: session?.until ?? null,
  };
  return json(200, me);
}
