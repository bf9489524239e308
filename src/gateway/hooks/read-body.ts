/** The body of a stranger's request, bounded in size and time, whatever its headers promise. */
import type { IncomingMessage } from "node:http";

export type ReadBody =
  | { readonly body: Buffer; readonly trouble: null }
  | { readonly body: null; readonly trouble: "large" | "slow" | "gone" };

export interface BodyLimits {
  readonly maxBytes: number;
  /** For all of it: a byte now and then does not make it longer. */
  readonly bodyMs: number;
}

/** Never rejects. After any trouble nothing more of it is read. `onBytes`: each time some came. */
export function readBody(
  request: IncomingMessage,
  { maxBytes, bodyMs }: BodyLimits,
  onBytes: (count: number) => void,
): Promise<ReadBody> {
  const { promise, resolve } = Promise.withResolvers<ReadBody>();
  const chunks: Buffer[] = [];
  let size = 0;
  const finish = (result: ReadBody) => {
    clearTimeout(timer);
    request.off("data", onData).off("end", onEnd).off("close", onGone);
    if (result.trouble !== null) request.pause();
    resolve(result);
  };
  const onData = (chunk: Buffer) => {
    size += chunk.length;
    onBytes(chunk.length);
    if (size > maxBytes) finish({ body: null, trouble: "large" });
    else chunks.push(chunk);
  };
  const onEnd = () => finish({ body: Buffer.concat(chunks), trouble: null });
  const onGone = () => finish({ body: null, trouble: "gone" });
  const timer = setTimeout(() => finish({ body: null, trouble: "slow" }), bodyMs);
  // One listener stays: what breaks after it was answered is nobody's error.
  request.on("error", onGone);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) finish({ body: null, trouble: "large" });
  else request.on("data", onData).on("end", onEnd).on("close", onGone);
  return promise;
}
