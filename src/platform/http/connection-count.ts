/** How many connections one address holds open. */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { addressKey } from "./door/limits.ts";

/** `refuse` is handed what is beyond the limit, and has to end it. Nothing is counted on Unix sockets. */
export function limitPerAddress(server: Server, most: number, refuse: (socket: Socket) => void): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const { remoteAddress } = socket;
    // Gone before it was looked at, or a Unix socket.
    if (remoteAddress === undefined) return;
    const key = addressKey(remoteAddress);
    const count = (open.get(key) ?? 0) + 1;
    open.set(key, count);
    socket.once("close", () => {
      const left = (open.get(key) ?? 1) - 1;
      if (left === 0) open.delete(key);
      else open.set(key, left);
    });
    if (count > most) refuse(socket);
  });
}
