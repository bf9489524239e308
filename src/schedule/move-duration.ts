/**
 * How long a move takes, what it sends, and how long the guest stands still.
 *
 * A live move sends all memory while the guest runs, then what the guest has written meanwhile, then what it has written during
 * that, and so on: a geometric series of dirty rate over transfer rate. When what is left can be sent within the allowed downtime
 * the guest is stopped for it. Where a guest writes as fast as is sent, no round is shorter than the one before.
 */

export interface MoveCosts {
  /** Of a live move, beside its transfer: receiver made ready, guest confirmed, source released. */
  readonly liveS: number;
  /** Of a cold one: the guest is shut down before it and booted after it. */
  readonly coldS: number;
  /** Of a guest that is stopped ahead of its move. */
  readonly stopS: number;
  /** As hypervisors are told: stop the guest when what is left takes no longer. */
  readonly downtimeMs: number;
}

/** 0.2 s: a live move of an idle guest of 256 MiB by bare QMP; 300 ms is QEMU's and Cloud Hypervisor's own limit. */
export const USUAL_COSTS: MoveCosts = { liveS: 0.2, coldS: 10, stopS: 5, downtimeMs: 300 };

/** Beyond the last round a guest is taken to write too fast for this link. */
const MOST_ROUNDS = 30;
/** Of a stop without anything left to send, in ms: what QEMU needs to hand over its devices. */
const HAND_OVER_MS = 10;

export interface MoveDuration {
  readonly seconds: number;
  readonly sentMiB: number;
  readonly downtimeMs: number;
  /** False: it can only end by a stop that is longer than allowed, or by slowing the guest down. */
  readonly converges: boolean;
}

export interface MoveLoad {
  readonly moveMiB: number;
  readonly dirtyMiBps: number;
  /** As was measured; left out: it is worked out. */
  readonly lasts?: { readonly seconds: number; readonly downtimeMs: number };
}

/** What came true before is likelier than what is reckoned; where the link gives less than it did then, the link counts. */
const asMeasured = (
  { seconds, downtimeMs }: NonNullable<MoveLoad["lasts"]>,
  moveMiB: number,
  rate: number,
): MoveDuration => ({ seconds: Math.max(seconds, moveMiB / rate), sentMiB: moveMiB, downtimeMs, converges: true });

/** `rate` in MiB/s, above 0. */
export function liveMove({ moveMiB, dirtyMiBps, lasts }: MoveLoad, rate: number, costs: MoveCosts): MoveDuration {
  if (lasts !== undefined) return asMeasured(lasts, moveMiB, rate);
  const ratio = dirtyMiBps / rate;
  const most = (costs.downtimeMs / 1_000) * rate;
  let [left, sent, rounds] = [moveMiB, 0, 0];
  while (ratio > 0 && left > most && rounds < MOST_ROUNDS && !(ratio >= 1 && rounds > 0)) {
    sent += left;
    left *= Math.min(1, ratio);
    rounds++;
  }
  if (ratio === 0) [left, sent] = [0, moveMiB];
  const sentMiB = sent + left;
  return {
    seconds: sentMiB / rate + costs.liveS,
    sentMiB,
    downtimeMs: (left / rate) * 1_000 + HAND_OVER_MS,
    converges: left <= most,
  };
}

export function coldMove({ moveMiB, lasts }: MoveLoad, rate: number, costs: MoveCosts): MoveDuration {
  if (lasts !== undefined) return asMeasured(lasts, moveMiB, rate);
  const seconds = moveMiB / rate + costs.coldS;
  return { seconds, sentMiB: moveMiB, downtimeMs: seconds * 1_000, converges: true };
}
