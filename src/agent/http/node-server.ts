/**
 * The agent's handler behind sockets, and what else comes in by its door: consoles, and guests that another agent brings.
 *
 *   socket → platform/http/server.ts → [node-server.ts] → handler.ts
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Caller } from "../../platform/http/door/caller.ts";
import type { Door } from "../../platform/http/door/door.ts";
import { headersOf } from "../../platform/http/node-messages.ts";
import { askedBy, type HttpServer, type ServeOptions, serve as serveHttp } from "../../platform/http/server.ts";
import { isArrival } from "./arrival.ts";
import { type AuditTrail, noNotes, type RequestNotes } from "./audit/audit-trail.ts";
import { errorAnswerAt } from "./compat/answers.ts";

interface AgentServeOptions
  extends Pick<ServeOptions<RequestNotes>, "addresses" | "handler" | "gate" | "tls" | "log" | "clock" | "limits"> {
  readonly audit: AuditTrail;
  readonly upgrade: Upgrade;
  /** Takes over the connection of an agent that brings a guest; throws what to answer instead. Left out: nobody is expected. */
  readonly arrive?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Takes over a connection that asks for a WebSocket; rejects with what to answer instead. `onEnd` is told once, with how much was typed. */
type Upgrade = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  caller: Caller,
  onEnd: (bytesTyped: number) => void,
) => Promise<void>;

export function serve(options: AgentServeOptions): Promise<HttpServer> {
  const { audit, upgrade, arrive, clock, ...rest } = options;
  return serveHttp({
    ...rest,
    clock,
    who: "agent",
    openNotes: noNotes,
    errorAnswer: (pathname, error) => errorAnswerAt(pathname, error, clock),
    onAnswered: (...answered) => audit.answered(...answered),
    upgrades: {
      isWanted: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket" || isArrival(headers),
      open: (request, socket, head, door) =>
        isArrival(request.headers) ? letIn(request, socket, head, door) : openConsole(request, socket, head, door),
    },
  });

  /** By its ticket, whatever else is asked of callers: it is another agent, and this one was told to expect it. */
  async function letIn(request: IncomingMessage, socket: Duplex, head: Buffer, door: Door): Promise<void> {
    const asked = askedBy(request);
    try {
      door.countAddress(request);
      if (arrive === undefined) throw new OdoroboError("NOT_FOUND", "no guests come in here");
      arrive(request, socket, head);
      audit.arrival(asked, null);
    } catch (error) {
      audit.arrival(asked, isOdoroboError(error) ? error.code : "INTERNAL");
      throw error;
    }
  }

  async function openConsole(request: IncomingMessage, socket: Duplex, head: Buffer, door: Door): Promise<void> {
    const asked = askedBy(request);
    let caller: Caller | null = null;
    try {
      caller = await door.enter(request, headersOf(request), true);
      const session = audit.console(asked, caller);
      await upgrade(request, socket, head, caller, session.closed);
      // A handshake that is none has been answered by now, or its sender is gone.
      if (!socket.writableEnded && !socket.destroyed) session.opened();
      else audit.consoleRefused(asked, caller, "BAD_REQUEST");
    } catch (error) {
      audit.consoleRefused(asked, caller, isOdoroboError(error) ? error.code : "INTERNAL");
      throw error;
    }
  }
}
