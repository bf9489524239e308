/**
 * Starts again what is due: guests that ended by themselves, and those that went down with their host.
 *
 *   restart-policy.ts, after-reboot.ts → the record → [restarts.ts] → perform-boot.ts
 *
 * Invariants:
 * - What is due stands in the record, so an agent that starts anew goes on where the last one ended.
 * - Nothing is started while an operation on the VM is asked for or under way; what that made of the VM counts.
 * - In the order of names, a few at a time.
 * - Time is that of a clock that never jumps. What an earlier agent put off is waited for no longer than it was put off for.
 */
import { byName } from "../../../model/names.ts";
import { isOnItsWay, type RestartRecord, type VmRecord } from "../../store/vm-record.ts";
import { delayMs, LASTED_MS, mayStartAgain } from "../guest/restart-policy.ts";
import { keep } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** A node that comes back starts all it has: a few at a time share its disks and CPUs better than all at once. */
const STARTS_AT_A_TIME = 4;

export class Restarts {
  readonly #parts: Parts;
  readonly #start: (slot: Slot) => Promise<unknown>;
  readonly #starting = new Set<Slot>();

  /** `start` runs `restartOf`'s order in the VM's queue. */
  constructor(parts: Parts, start: (slot: Slot) => Promise<unknown>) {
    this.#parts = parts;
    this.#start = start;
  }

  /** To be called again and again. */
  look(slots: Iterable<Slot>): void {
    const { stopping } = this.#parts;
    if (stopping.aborted) return;
    const due: Slot[] = [];
    for (const slot of slots) {
      const vm = slot.stored;
      if (vm?.state !== "present" || !vm.restart || isOnItsWay(vm)) continue;
      if (vm.restart.nextAt === null) this.#forgetIfLasted(slot, vm);
      else if (this.#isDue(slot, vm.restart)) due.push(slot);
    }
    for (const slot of due.sort((a, b) => byName(a.name, b.name))) {
      if (this.#starting.size >= STARTS_AT_A_TIME) return;
      if (this.#starting.has(slot) || slot.inFlight.size > 0) continue;
      this.#starting.add(slot);
      const forget = () => this.#starting.delete(slot);
      this.#start(slot).then(forget, forget);
    }
  }

  #isDue(slot: Slot, restart: RestartRecord): boolean {
    const { clock } = this.#parts;
    if (slot.due?.of !== restart) {
      const left = Date.parse(restart.nextAt as string) - Date.parse(clock.now());
      const waits = Math.min(Math.max(left, 0), delayMs(restart.attempts));
      slot.due = { of: restart, atMs: clock.monotonicMs() + waits };
    }
    return clock.monotonicMs() >= slot.due.atMs;
  }

  /** A guest that has run for long enough is like any other. The serial stays: nothing has happened to it. */
  #forgetIfLasted(slot: Slot, vm: VmRecord): void {
    const { clock } = this.#parts;
    if (slot.guest === null || slot.inFlight.size > 0 || vm.phase !== "running") return;
    if (clock.monotonicMs() - slot.guestSinceMs < LASTED_MS) return;
    slot
      .enqueue(async () => {
        const { stored } = slot;
        if (stored?.state === "present" && stored.restart === vm.restart && slot.guest !== null)
          await keep(this.#parts, slot, { ...stored, restart: null });
      })
      .catch(() => {});
  }
}

/** In the VM's queue: what its record is to say while it is started by the agent's own idea; null: that is no longer so. */
export function restartOf(slot: Slot): RestartRecord | null {
  const vm = slot.stored;
  if (vm?.state !== "present" || slot.guest !== null || !vm.restart || vm.restart.nextAt === null) return null;
  if (!mayStartAgain(vm, vm.endedBy === "guest")) return null;
  return { ...vm.restart, attempts: vm.restart.attempts + 1, nextAt: null };
}
