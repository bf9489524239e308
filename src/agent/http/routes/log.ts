/** GET /v1/vms/{name}/log: the guest's serial log as text. `?tailLines=N`, or `?tailBytes=N`, which counts more; `?follow=1` keeps the answer open. */
import { OdoroboError } from "../../../model/errors.ts";
import { stream } from "../../../platform/http/answers.ts";
import { followFile, readTail, readTailBytes } from "../../log-file.ts";
import { type Call, numberOf, vmNameOf } from "../calls/call.ts";

/** A screenful or a few; who wants more says so. */
const DEFAULT_TAIL_LINES = 200;
const MAX_TAIL_LINES = 100_000;
const MAX_TAIL_BYTES = 8 * 1024 * 1024;

export async function getLog(call: Call): Promise<Response> {
  const name = vmNameOf(call);
  const tailLines = numberOf(call, "tailLines", { max: MAX_TAIL_LINES, fallback: DEFAULT_TAIL_LINES });
  const follow = call.query.get("follow");
  const { log } = await call.parts.lifecycle.serial(name);
  if (log === null) {
    throw new OdoroboError("NOT_FOUND", `${name} has no serial log`, {
      hint: "it was never started, or its hypervisor has no serial line",
    });
  }
  const tailBytes = numberOf(call, "tailBytes", { max: MAX_TAIL_BYTES, fallback: 0 });
  if (follow !== "1" && follow !== "true") {
    const bytes = tailBytes > 0 ? await readTailBytes(log, tailBytes) : (await readTail(log, tailLines)).bytes;
    return new Response(bytes, {
      headers: {
        "content-type": "text/plain; charset=utf-8",
        "content-length": String(bytes.length),
        "cache-control": "no-store",
      },
    });
  }
  const tail = await readTail(log, tailLines);
  return stream("text/plain; charset=utf-8", ReadableStream.from(followFile(log, tail, call.signal)));
}
