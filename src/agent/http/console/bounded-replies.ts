/**
 * What a viewer makes us answer: to each ping a pong, to each mistake a word. One that goes on asking and reads none of it
 * would have us hold all of it; beyond the limit it is cut off, without a word that it would not read either.
 */
import type { WebSocket } from "ws";

/** The kernel's buffers hold some tens of thousands more; who reads at all is never so far behind. */
const MAX_UNREAD_REPLIES = 1_000;

/** Answers pings from now on. Each call counts one more reply, and returns what `ws.send` is to call when it is written. */
export function boundReplies(ws: WebSocket): () => () => void {
  let unread = 0;
  const reply = () => {
    unread++;
    if (unread > MAX_UNREAD_REPLIES) ws.terminate();
    return () => {
      unread--;
    };
  };
  ws.on("ping", (data) => ws.pong(data, false, reply()));
  return reply;
}
