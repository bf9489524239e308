/**
 * `/v1/vms/{name}/arrival/{channel}`: another agent brings a guest. It shows the ticket that this agent was given with `expect-guest`, and no
 * other credentials: those are for who asks, and a node needs none of another node's.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { OdoroboError } from "../../model/errors.ts";
import { isDnsLabel, vmName } from "../../model/names.ts";
import { MOVE_PROTOCOL, TICKET_SCHEME } from "../../wire/move-channel.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";

const PATH = /^\/v1\/vms\/([a-z0-9-]{1,63})\/arrival\/([a-z0-9.-]{1,100})$/;
const TICKET = new RegExp(`^${TICKET_SCHEME} +([A-Za-z0-9_-]{43,128})$`, "i");

export const isArrival = ({ upgrade }: IncomingHttpHeaders): boolean => upgrade?.toLowerCase() === MOVE_PROTOCOL;

export interface ArrivalDoor extends Disposable {
  /** Throws what to answer instead. */
  arrive(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Disposing ends what came in by it. */
export function createArrivalDoor(lifecycle: Pick<Lifecycle, "letIn">): ArrivalDoor {
  const open = new Set<Duplex>();
  const arrive: ArrivalDoor["arrive"] = (request, socket, head) => {
    const [, name = "", channel = ""] = PATH.exec(request.url ?? "") ?? [];
    if (request.method !== "GET" || !isDnsLabel(name))
      throw new OdoroboError("NOT_FOUND", "no guest comes in by this way", {
        hint: "is the other agent of a version that goes with this one?",
      });
    if (request.headers.origin !== undefined)
      throw new OdoroboError("FORBIDDEN", "a web page may not bring a guest", { hint: "send no Origin header" });
    const ticket = TICKET.exec(request.headers.authorization ?? "")?.[1];
    if (ticket === undefined)
      throw new OdoroboError("UNAUTHORIZED", "no ticket was shown", { hint: "odorobo vm migrate makes one" });
    const takeOver = lifecycle.letIn(vmName(name), channel, ticket);
    if (socket.destroyed) throw new OdoroboError("INTERRUPTED", "the other agent went away");
    if (socket instanceof Socket) {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 10_000);
    }
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${MOVE_PROTOCOL}\r\n\r\n`);
    if (head.length > 0) socket.unshift(head);
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    takeOver(socket);
  };
  return {
    arrive,
    [Symbol.dispose]() {
      for (const socket of open) socket.destroy();
    },
  };
}
