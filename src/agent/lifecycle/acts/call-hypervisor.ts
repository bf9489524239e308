/**
 * What people ask of a running guest's hypervisor directly: its counters, and its own API.
 *
 * Invariant: before a call that may change something is made, the record says that somebody else has the wheel. However the
 * guest ends from then on, this agent does not start it again by itself; and one that may have moved is not started here.
 */
import { OdoroboError } from "../../../model/errors.ts";
import type { GuestAbilities, GuestCounters, RawAnswer, RawRequest, RunningVm } from "../../hypervisor/hypervisor.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { refresh } from "../guest/refresh-guest.ts";
import { keep, save } from "../operations/run-operation.ts";
import { untilAborted } from "../parts/deadline.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

const COUNTERS_DEADLINE_MS = 5000;
/** The longest that a hypervisor is busy with one call: memory hotplug of a large guest. What blocks for good ends here. */
const RAW_DEADLINE_MS = 60_000;

/** Rejects with WRONG_PHASE or UNSUPPORTED. */
export async function countersOf(slot: Slot, signal: AbortSignal): Promise<GuestCounters> {
  const guest = runningGuest(slot);
  return guest.ask(COUNTERS_DEADLINE_MS, signal, (connection, own) =>
    abilityOf(guest, connection.abilities.counters, "be asked for counters")(own),
  );
}

/** Rejects with WRONG_PHASE or UNSUPPORTED. */
export async function rawCall(parts: Parts, slot: Slot, request: RawRequest, signal: AbortSignal): Promise<RawAnswer> {
  if (request.method === "GET") return call(slot, request, signal);
  const inTurn = slot.enqueue(async () => {
    signal.throwIfAborted();
    // Refused before anything is written down.
    runningGuest(slot);
    const before = slot.stored as VmRecord;
    await save(parts, slot, handedOver(parts, before, request));
    try {
      const answer = await call(slot, request, parts.stopping);
      // Refused by the hypervisor: nothing was done.
      if (answer.status >= 400 && slot.stored?.state === "present")
        await keep(parts, slot, { ...slot.stored, guest: before.guest, migration: before.migration ?? null });
      return answer;
    } finally {
      await refresh(parts, slot);
    }
  });
  slot.rawCalls++;
  const done = () => void slot.rawCalls--;
  inTurn.then(done, done);
  return untilAborted(inTurn, signal);
}

/** What changes something is never asked twice: an answer that got lost does not say that nothing was done. */
function call(slot: Slot, request: RawRequest, signal: AbortSignal): Promise<RawAnswer> {
  const guest = runningGuest(slot);
  const question = (connection: RunningVm, own: AbortSignal) =>
    abilityOf(guest, connection.abilities.raw, "be asked by an API of its own")(request, own);
  return request.method === "GET"
    ? guest.ask(RAW_DEADLINE_MS, signal, question)
    : guest.askOnce(RAW_DEADLINE_MS, signal, question);
}

const handedOver = (parts: Parts, vm: VmRecord, request: RawRequest): VmRecord => ({
  ...vm,
  guest: vm.guest && { ...vm.guest, handled: "api" },
  migration: request.mayMove
    ? { role: "source", since: parts.clock.now(), url: "as its hypervisor was told" }
    : (vm.migration ?? null),
});

/** Throws WRONG_PHASE. */
export function runningGuest(slot: Slot): Guest {
  if (slot.guest !== null) return slot.guest;
  throw new OdoroboError("WRONG_PHASE", `${slot.name} does not run: there is no hypervisor to ask`, {
    hint: `start it: odorobo vm boot ${slot.name}`,
  });
}

/** Throws UNSUPPORTED. `can`: "be interrupted". */
export function abilityOf<Ability extends GuestAbilities[keyof GuestAbilities]>(
  guest: Guest,
  ability: Ability,
  can: string,
  hint = "guests of cloud-hypervisor can",
): NonNullable<Ability> {
  if (ability !== undefined) return ability as NonNullable<Ability>;
  const { name } = guest.input;
  throw new OdoroboError("UNSUPPORTED", `${name} runs on ${guest.hypervisor.kind} here, whose guests cannot ${can}`, {
    hint,
  });
}
