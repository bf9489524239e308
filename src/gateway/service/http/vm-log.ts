/** GET /v1/fleets/{name}/vms/{vm}/log and /events: what its agent has kept of a guest's serial line, and remembers of the VM. */
import { OdoroboError } from "../../../model/errors.ts";
import { json, stream } from "../../../platform/http/answers.ts";
import type { GatewayVmEvents } from "../../../report/gateway/page-documents.ts";
import { findGuest } from "../guests/find-guest.ts";
import type { Call } from "./call.ts";
import { fleetOf } from "./served-fleet.ts";

const DEFAULT_TAIL_BYTES = 64 * 1024;
const MAX_TAIL_BYTES = 1024 * 1024;
/** What an agent of before, which counts lines alone, is asked for. */
const TAIL_LINES = 5_000;
const TEXT = "text/plain; charset=utf-8";

/** `?tail=BYTES`: the last of it, from the beginning of a line on where there is one. `?follow=1`: and what is added, until the client goes. */
export async function getVmLog(call: Call): Promise<Response> {
  const { params, query, signal } = call;
  const { name, agent } = findGuest(fleetOf(call), params.name ?? "", params.vm ?? "");
  const tailBytes = tailIn(query.get("tail"));
  const follow = query.get("follow") === "1";
  const log = agent.followLog(name, { tailLines: TAIL_LINES, tailBytes, follow }, signal);
  // What the agent has against it is answered, and not sent in the middle of a stream.
  if (follow) return stream(TEXT, ReadableStream.from(await begun(log)));
  const body = await lastOf(log, tailBytes);
  return new Response(body, {
    headers: { "content-type": TEXT, "content-length": String(body.length), "cache-control": "no-store" },
  });
}

const MOST_EVENTS = 200;

export async function getVmEvents(call: Call): Promise<Response> {
  const { params, parts, signal } = call;
  const fleet = params.name ?? "";
  const { name, node, agent } = findGuest(fleetOf(call), fleet, params.vm ?? "");
  const all = await agent.pastEvents(signal);
  const own = all.filter(({ vm }) => vm === name);
  const events = own.slice(-MOST_EVENTS).map(({ at, kind, message }) => ({ at, kind, message }));
  const document: GatewayVmEvents = {
    kind: "GatewayVmEvents",
    version: 1,
    ...{ fleet, now: parts.clock.now(), vm: name, node },
    isComplete: own.length === events.length && !all.some(({ kind }) => kind === "reset"),
    events,
  };
  return json(200, document);
}

function tailIn(text: string | null): number {
  if (text === null) return DEFAULT_TAIL_BYTES;
  const bytes = Number(text);
  if (/^\d{1,9}$/.test(text) && bytes >= 1 && bytes <= MAX_TAIL_BYTES) return bytes;
  throw new OdoroboError("BAD_REQUEST", `tail must be a whole number of bytes, from 1 to ${MAX_TAIL_BYTES}`);
}

/** Resolves when the first of it has come, or nothing. */
async function begun(log: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const pieces = log[Symbol.asyncIterator]();
  const first = pieces.next();
  // An empty log that is followed says nothing for long: refusals come at once.
  await Promise.race([first, new Promise((resolve) => setTimeout(resolve, REFUSAL_MS).unref())]);
  return (async function* () {
    try {
      for (let piece = await first; !piece.done; piece = await pieces.next()) yield piece.value;
    } finally {
      await pieces.return?.();
    }
  })();
}

const REFUSAL_MS = 1_000;

/** The last bytes; from the line on that begins in them, unless one line is all. */
async function lastOf(log: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer<ArrayBuffer>> {
  let kept = Buffer.alloc(0);
  let isCut = false;
  for await (const chunk of log) {
    const both = Buffer.concat([kept, chunk]);
    isCut ||= both.length > limit;
    kept = Buffer.from(both.subarray(Math.max(0, both.length - limit)));
  }
  // Asked for just so many bytes, an agent cuts by itself.
  const end = isCut || kept.length === limit ? kept.indexOf(0x0a) : -1;
  return end < 0 || end === kept.length - 1 ? kept : kept.subarray(end + 1);
}
