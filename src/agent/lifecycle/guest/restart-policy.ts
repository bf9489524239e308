/**
 * Whether, and when, a guest that ended without anybody asking is started again: from its record alone. Pure.
 *
 *   refresh-guest.ts, adopt.ts → ended-record.ts → [restart-policy.ts] → restarts.ts
 *
 * Never, whatever the run strategy says: what an operator ended, paused, or drove by hand; what left to another node, or may have.
 */
import { type Instant, instant } from "../../../model/names.ts";
import type { GuestEventKind } from "../../../model/observed-state.ts";
import { wantsRunning } from "../../../model/vm-spec.ts";
import type { RestartRecord, VmRecord } from "../../store/vm-record.ts";

/** Starts in a row that did not last, before the agent gives up: with the delays below a quarter of an hour of trying. */
export const MAX_ATTEMPTS = 10;
/** A guest that ran so long has lasted: kubelet forgets its back-off after as long. */
export const LASTED_MS = 600_000;
/** A single mishap is mended before many notice; what fails again and again costs the node ever less. */
const FIRST_DELAY_MS = 1000;
const LAST_DELAY_MS = 300_000;

export const delayMs = (attempts: number): number => Math.min(FIRST_DELAY_MS * 2 ** attempts, LAST_DELAY_MS);

export interface Moment {
  readonly now: Instant;
  readonly hostBootId: string;
}

/** For a guest of this record that ended as `kind` after it had run for `lastedMs`. Null: it stays down. */
export function restartAfterEnd(
  vm: VmRecord,
  kind: GuestEventKind,
  lastedMs: number,
  moment: Moment,
): RestartRecord | null {
  if (!mayStartAgain(vm, kind === "power-off")) return null;
  return nextRestart(lastedMs >= LASTED_MS ? 0 : (vm.restart?.attempts ?? 0), moment);
}

/** After a start that was the agent's own idea and failed, or was cut short. */
export function restartAfterFailedStart(vm: VmRecord, moment: Moment): RestartRecord | null {
  return vm.restart && mayStartAgain(vm, false) ? nextRestart(vm.restart.attempts, moment) : null;
}

/** Whether this run strategy, and what people did to this guest, leave it to the agent to start it again. */
export function mayStartAgain(vm: VmRecord, endedByItself: boolean): boolean {
  if ((vm.phase === "paused" && !vm.stalled) || vm.guest?.handled !== undefined || vm.migration?.role === "source")
    return false;
  return wantsRunning(vm.spec.runStrategy, endedByItself) === true;
}

/** After `attempts` starts in a row that did not last. */
export function nextRestart(attempts: number, { now, hostBootId }: Moment): RestartRecord {
  if (attempts >= MAX_ATTEMPTS) return { attempts, nextAt: null, givenUp: true, hostBootId };
  const nextAt = instant(new Date(Date.parse(now) + delayMs(attempts)).toISOString());
  return { attempts, nextAt, givenUp: false, hostBootId };
}

/** For people, as the end of a sentence; empty when the agent does nothing. */
export function restartStory(restart: RestartRecord | null): string {
  if (restart === null) return "";
  if (restart.givenUp) return `; given up after ${restart.attempts} starts in a row that did not last`;
  const which = `start ${restart.attempts + 1} of at most ${MAX_ATTEMPTS}`;
  return restart.nextAt === null ? "" : `; the agent starts it again at ${restart.nextAt} (${which})`;
}
