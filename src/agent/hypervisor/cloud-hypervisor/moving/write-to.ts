/** Writing to a stream no faster than it takes it. */
import type { Duplex } from "node:stream";
import { OdoroboError } from "../../../../model/errors.ts";

/** Rejects when the stream is closed first, or with the signal's reason. */
export function writeTo(stream: Duplex, bytes: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (stream.destroyed) return Promise.reject(closed());
  if (stream.write(bytes)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => () => {
      stream.off("drain", onDrain);
      stream.off("close", onClose);
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const onDrain = end(resolve);
    const onClose = end(() => reject(closed()));
    const onAbort = end(() => reject(signal.reason));
    stream.once("drain", onDrain);
    stream.once("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Writes this last. Resolves when it has left this process. */
export function endWith(stream: Duplex, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.destroyed) return reject(closed());
    stream.once("close", () => reject(closed()));
    stream.end(bytes, () => resolve());
  });
}

const closed = (): OdoroboError => new OdoroboError("HYPERVISOR_FAILED", "the connection to the other node is gone");
