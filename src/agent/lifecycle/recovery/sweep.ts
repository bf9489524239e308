/**
 * Purges tombstones whose retention has ended, writes again what a full disk did not take, and keeps logs short.
 *
 * A purge cannot be taken back, and a clock can be wrong: before its host has asked for the time, or set by mistake. So the
 * time that this agent has seen pass counts for what it buried itself, and of the clock only one that has run evenly for a
 * while is believed about the rest.
 */
import { preparePurge } from "../acts/perform-stop.ts";
import { trimLogs } from "../guest/logs.ts";
import { keep, runOperation } from "../operations/run-operation.ts";
import { keptUntil } from "../parts/kept-until.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** Long enough for a host to ask for the time, and for a person to see a mistake; retention is counted in days. */
const STEADY_MS = 3_600_000;
/** What a clock may be put right by, between two looks, without having been wrong. */
const TOLERANCE_MS = 60_000;

export type Sweep = (slots: readonly Slot[]) => void;

/** `releaseLeft`: in the VM's queue, of one that left long enough ago. */
export function createSweep(parts: Parts, releaseLeft: (slot: Slot) => Promise<void>): Sweep {
  const { clock } = parts;
  const wallMs = () => Date.parse(clock.now());
  let ahead = wallMs() - clock.monotonicMs();
  let steadySinceMs = clock.monotonicMs();
  const trimming = new Set<string>();

  function lookAtClock(): void {
    const nowAhead = wallMs() - clock.monotonicMs();
    if (Math.abs(nowAhead - ahead) > TOLERANCE_MS) steadySinceMs = clock.monotonicMs();
    ahead = nowAhead;
  }

  function isExpired({ stored, buriedAtMs }: Slot): boolean {
    if (stored?.state !== "tombstone" || Date.parse(stored.retainUntil) > wallMs()) return false;
    const nowMs = clock.monotonicMs();
    if (buriedAtMs === null) return nowMs - steadySinceMs >= STEADY_MS;
    return nowMs - buriedAtMs >= Date.parse(stored.retainUntil) - Date.parse(stored.deletedAt);
  }

  /** As of tombstones. */
  function hasLeftForLong({ stored, leftAtMs, inFlight }: Slot): boolean {
    if (stored?.state !== "present" || stored.left === undefined || inFlight.size > 0) return false;
    const until = keptUntil(stored.spec, stored.left.since);
    if (Date.parse(until) > wallMs()) return false;
    const nowMs = clock.monotonicMs();
    if (leftAtMs === null) return nowMs - steadySinceMs >= STEADY_MS;
    return nowMs - leftAtMs >= Date.parse(until) - Date.parse(stored.left.since);
  }

  /** In the VM's queue: it may have come back, or gone, while the sweep waited for its turn. */
  async function sweepOne(slot: Slot): Promise<void> {
    if (parts.stopping.aborted) return;
    const { stored: known } = slot;
    // What is known of one that nobody can tell about is for people: its record stays as it is.
    if (slot.unsaved && known !== null && known.state !== "unreadable") await keep(parts, slot, known);
    const { stored } = slot;
    if (stored?.state !== "tombstone" || !isExpired(slot)) return;
    const operation = {
      id: `retention-of-${slot.name}-${stored.generation}`,
      kind: "purge",
      graceSeconds: null,
    } as const;
    await runOperation(parts, slot, operation, preparePurge(parts, stored));
  }

  /** Not in the queue: a guest that floods its log may be waited for there. */
  function trim({ name, guest }: Slot): void {
    if (guest === null || trimming.has(name) || parts.stopping.aborted) return;
    trimming.add(name);
    trimLogs(parts.store.paths(name).logFolder)
      .catch((error: unknown) => {
        if (!parts.stopping.aborted) parts.logger.warn({ err: error, vm: name }, "could not keep a guest's logs short");
      })
      .finally(() => trimming.delete(name));
  }

  return (slots) => {
    lookAtClock();
    for (const slot of slots) trim(slot);
    for (const slot of slots) if (hasLeftForLong(slot)) slot.enqueue(() => releaseLeft(slot)).catch(() => {});
    for (const slot of slots) if (slot.unsaved || isExpired(slot)) slot.enqueue(() => sweepOne(slot)).catch(() => {});
  };
}
