/** Ties a running guest to its slot: what changes is looked at at once, and a guest that becomes ready later is seen to. */
import type { VmSpec } from "../../model/vm-spec.ts";
import { probeAddress } from "./check-spec.ts";
import type { Guest } from "./guest.ts";
import { guestEvent } from "./guest-event.ts";
import type { Parts } from "./parts.ts";
import { waitUntilReady } from "./readiness.ts";
import { refresh } from "./refresh-guest.ts";
import { keep } from "./run-operation.ts";
import type { Slot } from "./slot.ts";

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
  guest.onEvent((event) => {
    // How it ended is found out by looking.
    if (event.kind === "power-off") return lookAgain();
    slot
      .enqueue(() => noteHappening(parts, slot, guest, event.kind as "reboot" | "panic", event.message))
      .catch((error: unknown) => {
        parts.logger.error({ err: error, vm: slot.name }, "could not note what a guest did");
      });
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
  await keep(parts, slot, { ...vm, ready: true });
}

/** It runs on, so it is no reason to plan anew: the serial stays. */
async function noteHappening(
  parts: Parts,
  slot: Slot,
  guest: Guest,
  kind: "reboot" | "panic",
  message: string,
): Promise<void> {
  const vm = slot.stored;
  if (slot.guest !== guest || vm?.state !== "present" || parts.stopping.aborted) return;
  const lastEvent = await guestEvent(parts, vm, kind, message);
  parts.events.emit({ kind: "phase", vm: slot.name, message: `${slot.name}: ${message}` });
  parts.logger.info({ vm: slot.name }, message);
  await keep(parts, slot, { ...vm, lastEvent });
}
