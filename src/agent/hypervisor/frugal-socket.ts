/**
 * A socket whose bytes are read into a few buffers that are used again and again. Node makes new ones for each read: of a guest's memory that
 * is so much garbage that collecting it took longer than sending, and fell into the time in which the guest stands still.
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/** A Unix socket holds no more: 208 KiB. */
const BUFFER_BYTES = 256 * 1024;
const BUFFERS = 8;

/** What Node calls the connection below a socket. Not in its documents: where it is not there, the socket is read as any other. */
interface WithHandle {
  _handle: { readStop?: () => unknown; reading?: boolean } | null;
}

/**
 * Writes all that comes in at `from` to `to` and ends that afterwards. Returns what stands for `from` from then on, to be written to: either of
 * the two ends with the other. Null: it cannot be read like that, and nothing has been done.
 */
export function readFrugally(from: Duplex, to: Duplex): Socket | null {
  if (!(from instanceof Socket) || from instanceof TLSSocket || from.connecting || from.writableLength > 0) return null;
  const below = from as unknown as WithHandle;
  const handle = below._handle;
  if (handle === null || typeof handle?.readStop !== "function" || from.readableEnded) return null;
  from.pause();
  handle.readStop();
  handle.reading = false;
  below._handle = null;

  const free = Array.from({ length: BUFFERS }, () => Buffer.allocUnsafeSlow(BUFFER_BYTES));
  // Never one that is on its way: it is the one that is read into next, also after a pause.
  let filling = free.pop() as (typeof free)[number];
  let isPaused = false;
  const onread = {
    buffer: () => filling,
    callback(bytes: number): boolean {
      const full = filling;
      filling = free.pop() as (typeof free)[number];
      isPaused = free.length === 0;
      to.write(full.subarray(0, bytes), () => {
        free.push(full);
        if (!isPaused) return;
        isPaused = false;
        own.resume();
      });
      return !isPaused;
    },
  };
  // What Node has read before.
  for (let chunk = from.read() as Buffer | null; chunk !== null; chunk = from.read() as Buffer | null) to.write(chunk);
  const own = new Socket({ handle, allowHalfOpen: true, onread } as unknown as SocketConstructorOpts);
  own.once("end", () => to.end());
  own.on("error", () => own.destroy());
  own.once("close", () => from.destroy());
  from.once("close", () => own.destroy());
  own.resume();
  return own;
}
