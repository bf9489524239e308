/** A body of those that people send: a reason, a token. */
import { OdoroboError } from "../../../model/errors.ts";

const BODY_AT_MOST = 16 * 1024;

/** Rejects with PAYLOAD_TOO_LARGE. */
export async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > BODY_AT_MOST)
      throw new OdoroboError("PAYLOAD_TOO_LARGE", `the body has more than ${BODY_AT_MOST} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
