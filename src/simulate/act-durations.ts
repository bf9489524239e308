/** How long acts take in a simulation: moves as their plan predicts them, the rest as moves reckon with them. */
import type { Plan } from "../plan/plan-document.ts";
import { USUAL_COSTS } from "../schedule/move-duration.ts";
import type { OperationKind } from "../wire/operations.ts";

export interface ActDurations {
  /** `id`: of the call. */
  readonly secondsOf: (kind: OperationKind | "put", id: string) => number;
  /** Of a live move. */
  readonly downtimeMsOf: (id: string) => number;
}

/** What a call's id begins with: a move's two halves have ids of their own. */
export const stepOf = (id: string): string => id.split(/\.(?:expect|migrate)\./)[0] ?? id;

/** A request and its answer, where nothing has to be waited for. */
const AT_ONCE_S = 0.1;

export function actDurations({ times }: Plan): ActDurations {
  const moves = new Map(times?.moves.map((move) => [move.step, move]));
  const { stopS, coldS, liveS } = USUAL_COSTS;
  const others: Partial<Record<OperationKind | "put", number>> = {
    boot: coldS - stopS,
    shutdown: stopS,
    delete: stopS,
    reboot: coldS,
  };
  return {
    secondsOf(kind, id) {
      if (kind !== "migrate") return others[kind] ?? AT_ONCE_S;
      const move = moves.get(stepOf(id));
      return move === undefined ? liveS : move.endSeconds - move.startSeconds;
    },
    downtimeMsOf: (id) => moves.get(stepOf(id))?.downtimeMs ?? 0,
  };
}
