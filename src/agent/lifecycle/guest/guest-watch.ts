/** Ties a running guest to its slot: what changes is looked at at once, and a guest that becomes ready later is seen to. */
import { setTimeout as sleep } from "node:timers/promises";
import type { GuestEventKind } from "../../../model/observed-state.ts";
import { probeAddress, type VmSpec } from "../../../model/vm-spec.ts";
import { keep } from "../operations/run-operation.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { guestEvent } from "./guest-event.ts";
import { waitUntilReady } from "./readiness.ts";
import { refresh } from "./refresh-guest.ts";

export function watchGuest(
  parts: Parts,
  slot: Slot,
  guest: Guest,
  known: { readonly ready: boolean | null; readonly logSizes: Readonly<Record<string, number>> },
): void {
  slot.guest = guest;
  slot.guestSinceMs = parts.clock.monotonicMs();
  const lookAgain = () => {
    slot
      .enqueueLook(() => refresh(parts, slot))
      .catch((error: unknown) => {
        parts.logger.error({ err: error, vm: slot.name }, "could not look at a guest that has changed");
      });
  };
  guest.onChange(lookAgain);
  const happenings = {
    reboot: new Happenings(guest.released),
    panic: new Happenings(guest.released),
    "console-lost": new Happenings(guest.released),
  };
  guest.onEvent(({ kind, message }) => {
    // How it ended is found out by looking.
    if (kind === "power-off") return lookAgain();
    happenings[kind].add((times) =>
      slot
        .enqueue(() => noteHappening(parts, slot, guest, kind, times === 1 ? message : `${message} (${times} times)`))
        .catch((error: unknown) => {
          parts.logger.error({ err: error, vm: slot.name }, "could not note what a guest did");
        }),
    );
    lookAgain();
  });
  // Its process may have ended before anybody listened.
  if (guest.exit !== null) lookAgain();
  if (known.ready === true) return;
  guest.readiness = startProbe(guest, guest.input.spec, known.logSizes);
  guest.readiness?.then(
    () => slot.enqueue(() => noteReady(parts, slot, guest)),
    // Let go of before it was ready.
    () => {},
  );
}

/** How often the same is written down: a guest whose processor faults as it starts reboots sixty times in a second. */
const SAME_AGAIN_MS = 1000;

/** The first is told at once; what comes while that is written down, or soon after, is counted and told as one. */
class Happenings {
  readonly #over: AbortSignal;
  #isQuiet = true;
  #more = 0;

  constructor(over: AbortSignal) {
    this.#over = over;
  }

  add(tell: (times: number) => Promise<void>): void {
    if (this.#isQuiet) void this.#tellUntilQuiet(tell);
    else this.#more++;
  }

  async #tellUntilQuiet(tell: (times: number) => Promise<void>): Promise<void> {
    this.#isQuiet = false;
    this.#more = 1;
    while (this.#more > 0 && !this.#over.aborted) {
      const times = this.#more;
      this.#more = 0;
      await tell(times);
      await sleep(SAME_AGAIN_MS, undefined, { signal: this.#over, ref: false }).catch(() => {});
    }
    this.#isQuiet = true;
  }
}

function startProbe(guest: Guest, spec: VmSpec, logSizes: Readonly<Record<string, number>>): Promise<void> | null {
  const probe = spec.ready;
  if (probe === null) return null;
  // A stand-in has no network that a port could be on.
  if (probe.kind === "tcp" && guest.hypervisor.disks === "placeholder") return Promise.resolve();
  const consoleLog = guest.connection?.consoleLog ?? null;
  return waitUntilReady({ probe, consoleLog, logSizes, address: probeAddress(spec) }, guest.released);
}

/** News for those who look, but no reason to plan anew: the serial stays. */
async function noteReady(parts: Parts, slot: Slot, guest: Guest): Promise<void> {
  const vm = slot.stored;
  if (slot.guest !== guest || vm?.state !== "present" || vm.ready === true) return;
  parts.events.emit({ kind: "phase", vm: slot.name, message: `${slot.name} is ready` });
  await keep(parts, slot, { ...vm, ready: true, readySince: parts.clock.now() });
}

/** It runs on, so it is no reason to plan anew: the serial stays. */
async function noteHappening(
  parts: Parts,
  slot: Slot,
  guest: Guest,
  kind: GuestEventKind,
  message: string,
): Promise<void> {
  const vm = slot.stored;
  if (slot.guest !== guest || vm?.state !== "present" || parts.stopping.aborted) return;
  const lastEvent = await guestEvent(parts, vm, kind, message);
  parts.events.emit({ kind: "phase", vm: slot.name, message: `${slot.name}: ${message}` });
  parts.logger.info({ vm: slot.name }, message);
  await keep(parts, slot, { ...vm, lastEvent });
}
