/**
 * Where forges knock: `POST /v1/hooks/FLEET`. Who cannot sign learns nothing: no fleet of that name, no secret, a wrong signature
 * and one from the future all get the same answer after the same time. Who can is answered before any work begins.
 *
 *   node:http → [hook-door.ts] → read-hook.ts → onEvent
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../platform/clock.ts";
import { rarely } from "../../platform/http/door/rarely.ts";
import type { Logger } from "../../platform/logger.ts";
import type { ForgeKind, HookEvent, HookReading } from "./hook-event.ts";
import type { HookSecrets } from "./hook-secrets.ts";
import { type ReadBody, readBody } from "./read-body.ts";
import { readHook } from "./read-hook.ts";
import { SeenHooks } from "./seen-hooks.ts";

export interface HookFleet {
  readonly kind: ForgeKind;
  readonly secrets: Pick<HookSecrets, "read">;
  /** Called after the answer was sent, for each event: for refs that are nobody's here, too. What it throws is logged. */
  readonly onEvent: (event: HookEvent) => void;
}

export const HOOK_OUTCOMES = [
  "accepted",
  "replayed",
  "signature",
  "time",
  "garbage",
  "unknown-fleet",
  "no-secret",
  "too-large",
  "too-slow",
  "gone",
  "busy",
  "method",
] as const;
export type HookOutcome = (typeof HOOK_OUTCOMES)[number];

export interface HookLimits {
  readonly maxBytes: number;
  readonly bodyMs: number;
  /** From the end of the request to the answer that refuses it: longer than any signature takes to be checked. */
  readonly refusalMs: number;
  /** Bodies of all requests that are being read, together. */
  readonly heldBytes: number;
}

/** GitHub sends 25 MB at most and gives up after 10 s; but of a push or a pull request, what says more than 5 MiB is none of ours. */
export const HOOK_LIMITS: HookLimits = {
  maxBytes: 5 * 1024 * 1024,
  bodyMs: 8_000,
  refusalMs: 250,
  heldBytes: 64 * 1024 * 1024,
};

export interface HookDoorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Of each request. `fleet` null: there is none of that name. */
  readonly counted?: (fleet: string | null, outcome: HookOutcome) => void;
  readonly limits?: Partial<HookLimits>;
}

export const HOOKS_PATH = "/v1/hooks/";

/** `fleets`: by the name in the path; null: there is none. What it returns never rejects. */
export function hookHandler(
  fleets: (name: string) => HookFleet | null,
  { clock, log, counted = () => {}, limits: given }: HookDoorOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const limits = { ...HOOK_LIMITS, ...given };
  const seen = new Map<string, SeenHooks>();
  const saying = new Map<HookOutcome, ReturnType<typeof rarely>>();
  let held = 0;

  const note = (fleet: string | null, outcome: HookOutcome, why: string) => {
    counted(fleet, outcome);
    if (outcome === "accepted") return;
    let say = saying.get(outcome);
    if (say === undefined) {
      say = rarely(clock);
      saying.set(outcome, say);
    }
    // Strangers decide how often, so one line a minute of each kind; and nothing of what they sent is in it.
    say((unsaid) => log.warn({ fleet, outcome, unsaid }, `a webhook was not taken: ${why}`));
  };
  const seenOf = (name: string): SeenHooks => {
    const known = seen.get(name) ?? new SeenHooks();
    seen.set(name, known);
    return known;
  };
  const read = async (request: IncomingMessage): Promise<ReadBody | null> => {
    if (held > limits.heldBytes) return null;
    let own = 0;
    try {
      return await readBody(request, limits, (count) => {
        own += count;
        held += count;
      });
    } finally {
      held -= own;
    }
  };
  const secretsOf = async (name: string, fleet: HookFleet): Promise<readonly string[]> => {
    try {
      return await fleet.secrets.read();
    } catch (error) {
      note(name, "no-secret", error instanceof Error ? error.message : String(error));
      return [];
    }
  };

  return async (request, response) => {
    response.on("error", () => {});
    if (request.method !== "POST") {
      note(null, "method", "webhooks are POSTed");
      return refuse(request, response, 405, "webhooks are POSTed", { allow: "POST" });
    }
    const name = nameOf(request.url ?? "");
    const fleet = fleets(name);
    const taken = await read(request);
    const known = fleet === null ? null : name;
    if (taken === null) {
      note(known, "busy", "too many are being read");
      return refuse(request, response, 503, "too much at once", { "retry-after": "5" });
    }
    if (taken.trouble !== null)
      return refuseUnread(request, response, taken.trouble, (...what) => note(known, ...what));
    const end = clock.monotonicMs();
    const refuseAtLast = async () => {
      await new Promise<void>((resolve) => setTimeout(resolve, limits.refusalMs - (clock.monotonicMs() - end)));
      return refuse(request, response, 401, UNKNOWN);
    };
    if (fleet === null) {
      note(null, "unknown-fleet", "there is no fleet of the name in its path");
      return await refuseAtLast();
    }
    const { kind, onEvent } = fleet;
    const secrets = await secretsOf(name, fleet);
    const hook = { headers: request.headers, body: taken.body };
    const reading = readHook(hook, { kind, secrets, clock, seen: seenOf(name) });
    if (reading.refused !== null) note(name, reading.refused, reading.why);
    if (reading.refused === "signature" || reading.refused === "time") return await refuseAtLast();
    answer(response, reading);
    if (reading.refused !== null) return;
    counted(name, "accepted");
    for (const event of reading.events) {
      try {
        onEvent(event);
      } catch (err) {
        log.error({ err, fleet: name }, "what a webhook said could not be taken further");
      }
    }
  };
}

const UNKNOWN = "there is no fleet of that name, or it is signed with none of its secrets";

function nameOf(url: string): string {
  const path = url.split("?", 1)[0] ?? "";
  return path.startsWith(HOOKS_PATH) ? path.slice(HOOKS_PATH.length) : "";
}

/** A replay is answered kindly: forges stop sending to who says no. */
function answer(response: ServerResponse, reading: HookReading): void {
  if (reading.refused === "garbage") {
    send(response, 400, { code: "BAD_REQUEST", message: reading.why });
    return;
  }
  const outcome = reading.refused ?? (reading.events.some(({ kind }) => kind !== "other") ? "accepted" : "not ours");
  send(response, 202, { outcome });
}

const UNREAD = {
  large: [413, "too-large", "larger than a webhook may be"],
  slow: [408, "too-slow", "it did not arrive in time"],
  gone: [400, "gone", "it broke off"],
} as const;

function refuseUnread(
  request: IncomingMessage,
  response: ServerResponse,
  trouble: keyof typeof UNREAD,
  note: (outcome: HookOutcome, why: string) => void,
): void {
  const [status, outcome, why] = UNREAD[trouble];
  note(outcome, why);
  refuse(request, response, status, why);
}

const CODES: Readonly<Record<number, string>> = {
  401: "UNAUTHORIZED",
  405: "METHOD_NOT_ALLOWED",
  413: "PAYLOAD_TOO_LARGE",
  503: "RATE_LIMITED",
};

/** How long one who still sends gets to read why he is refused: cut off while he writes, he would not. */
const LINGER_MS = 1_000;

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const isWhole = request.complete;
  const body = { code: CODES[status] ?? "BAD_REQUEST", message };
  send(response, status, body, isWhole ? headers : { ...headers, connection: "close" });
  if (isWhole || request.destroyed) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  request.once("close", () => clearTimeout(timer));
}

function send(
  response: ServerResponse,
  status: number,
  body: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.destroyed || response.headersSent) return;
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length, ...headers });
  response.end(bytes);
}
