/**
 * GET /v1/events: what happens to the fleets. Who comes back with Last-Event-ID is told what it missed, or `reset` when that is not
 * kept any more: then it reads /v1/fleets again. `?fleet=NAME`: of that one only. Whoever comes is told first where each fleet's sight is.
 */
import type { GatewayEvent } from "../../../report/gateway/gateway-event.ts";
import type { Call } from "./call.ts";
import { type SentEvent, sendEvents } from "./stream.ts";

export async function streamEvents({ request, query, parts, signal }: Call): Promise<Response> {
  const { events } = parts;
  const only = query.get("fleet");
  const isMeant = ({ fleet }: GatewayEvent) => only === null || fleet === only;
  const last = request.headers.get("last-event-id");
  const missed = last === null || last === "" ? [] : events.since(last);
  const reset = { kind: "GatewayReset", version: 1, id: events.lastId } as const;
  const first: SentEvent[] =
    missed === null ? [{ id: events.lastId, event: "reset", data: reset }] : missed.filter(isMeant).map(toSent);
  const headlines = [...parts.fleets].flatMap(([name, { view }]) => {
    const news = view.sight.headline();
    return news === null ? [] : [events.newsEvent(name, news, parts.clock.now())];
  });
  first.push(...headlines.filter(isMeant).map(toSent));
  return sendEvents(first, (send) => events.subscribe((event) => isMeant(event) && send(toSent(event))), signal);
}

const toSent = (event: GatewayEvent): SentEvent => ({ id: event.id, event: event.event, data: event });
