/** From bytes of a stranger to events, or to why not. Signature first: nothing of what is not rightly signed is looked into. */
import type { Clock } from "../../platform/clock.ts";
import type { ForgeKind, HookReading, HookRequest } from "./hook-event.ts";
import { readPayload } from "./hook-payload.ts";
import { verifySignature } from "./hook-signature.ts";
import { parseHook } from "./parse-hook.ts";
import type { SeenHooks } from "./seen-hooks.ts";

export interface HookCheck {
  readonly kind: ForgeKind;
  /** Each counts: two while they are changed. None: nothing is taken. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  /** One for each fleet. */
  readonly seen: SeenHooks;
}

/** Either side's clock may be wrong by as much; what is signed with its time cannot come again after that. */
const LATE_S = 300;

/** Never throws, whatever came. */
export function readHook(request: HookRequest, { kind, secrets, clock, seen }: HookCheck): HookReading {
  const verdict = verifySignature(kind, request, secrets);
  if (!verdict.isTrue) return { refused: "signature", why: verdict.why };
  const { sentAt, unique } = verdict;
  if (sentAt !== null && Math.abs(Date.parse(clock.now()) / 1000 - sentAt) > LATE_S)
    return { refused: "time", why: `it was sent more than ${LATE_S} s from now: is a clock wrong?` };
  try {
    const events = parseHook(kind, request.headers, readPayload(request));
    if (!seen.note(unique)) return { refused: "replayed", why: "the same was here before" };
    return { refused: null, events };
  } catch (error) {
    if (error instanceof SyntaxError) return { refused: "garbage", why: `the body ${error.message}` };
    throw error;
  }
}
