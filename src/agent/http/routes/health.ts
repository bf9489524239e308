/** GET /v1/health: the agent answers. Says nothing of the guests: that is the report's. */
import { json } from "../../../platform/http/answers.ts";
import type { Call } from "../calls/call.ts";

export async function getHealth({ parts }: Call): Promise<Response> {
  return json(200, { status: "ok", node: parts.nodeName, version: parts.version });
}
