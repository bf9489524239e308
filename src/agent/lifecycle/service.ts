/**
 * The agent's lifecycle: takes requests in, gives each VM its queue, and knows all that runs on this node.
 *
 *   http → [service.ts] → submit.ts → operations/decide.ts → acts/ → operations/run-operation.ts → hypervisor, store …
 *
 * Invariants:
 * - Operations on one VM run strictly one after another; different VMs never wait for each other.
 * - The same id is done once in a VM's life: while it runs a second request joins it, afterwards it gets the outcome of
 *   the first. A life ends when nothing is left (purge, or the end of the retention).
 * - An operation goes on when its caller goes away.
 * - What was started by somebody and ended by itself is started again as its run strategy says, with patience that ends
 *   (restart-policy.ts). Nothing else is started without being asked for, and nothing that an operator ended (ADR 0013).
 */
import { OdoroboError } from "../../model/errors.ts";
import { type VmName, vmName } from "../../model/names.ts";
import { mapWithLimit } from "../../platform/limit.ts";
import { findGuests } from "../supervisor/find-guests.ts";
import { countersOf, rawCall } from "./acts/call-hypervisor.ts";
import { lookFromFar } from "./acts/look-ahead.ts";
import { NodeImages } from "./acts/node-images.ts";
import { lookAtGuest } from "./guest/look-at-guest.ts";
import { placedNics, settleNetworks } from "./guest/placed-nics.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { type LifecycleOptions, makeParts } from "./make-parts.ts";
import { Moves } from "./migration/moves.ts";
import { checkPut } from "./operations/check-spec.ts";
import { untilAborted } from "./parts/deadline.ts";
import { Slot } from "./parts/slot.ts";
import { carryOn } from "./recovery/carry-on.ts";
import { startClockwork } from "./recovery/clockwork.ts";
import { meetAgain, meetGuest } from "./recovery/meet-guest.ts";
import { createSweep } from "./recovery/sweep.ts";
import { nodeReport, notFound, reportOf } from "./report/node-report.ts";
import { resultOf } from "./report/results.ts";
import { serialLine } from "./serial-line.ts";
import { createSubmit } from "./submit.ts";

export type { LifecycleOptions };

/** How many guests are asked at a time: enough that a hundred silent ones hold up a report no longer than one. */
const ASKED_AT_A_TIME = 256;

/** Questions of one caller's. */
const LOOKED_FOR_AT_A_TIME = 8;

/** Resolves when everything that runs on this node is known again. */
export async function createLifecycle(options: LifecycleOptions): Promise<Lifecycle> {
  const stop = new AbortController();
  const { parts, slots } = await makeParts(options, stop.signal);
  const moves = new Moves(parts, slots, options);
  const ofAll = (act: (slot: Slot) => Promise<unknown>) => mapWithLimit([...slots.values()], ASKED_AT_A_TIME, act);
  const ask = (slot: Slot) =>
    slot.unexplained === null ? lookAtGuest(parts, slot) : slot.enqueueLook(() => meetAgain(parts, slot, moves));

  // The host first: what runs is there, whatever the records say.
  const found = await findGuests(options.supervisor, options.runFolder);
  for (const name of found.keys()) if (!slots.has(name)) slots.set(name, new Slot(name, null));
  await ofAll((slot) => slot.enqueue(() => meetGuest(parts, slot, moves, found.get(slot.name))));
  parts.network.begin?.({
    placed: () => placedNics(parts, slots.values()),
    tell: (vms, message) => {
      for (const vm of vms) parts.events.emit({ kind: "drift", vm: vmName(vm), message });
    },
  });
  await settleNetworks(parts);
  for (const slot of slots.values()) carryOn(parts, slot, moves);
  moves.carryOn(slots.values());
  await ofAll(ask);
  const sweep = createSweep(parts, (slot) => moves.releaseLeft(slot));
  const stopClockwork = startClockwork(parts, slots, sweep, options);
  const submit = createSubmit(parts, slots, sweep, moves);

  /** Of a VM that is here; throws NOT_FOUND. */
  function guestSlot(name: VmName): Slot {
    const slot = slots.get(name);
    if (slot?.stored?.state !== "present") throw notFound(name, slot?.stored ?? null);
    return slot;
  }

  const known = () => nodeReport(parts, options.capacity, slots.values(), parts.whereabouts.all(), parts.history.all());

  return {
    events: parts.events,
    async report(signal) {
      await untilAborted(ofAll(ask), signal);
      return known();
    },
    known,
    async vm(name, signal) {
      const slot = slots.get(name);
      if (slot) await untilAborted(ask(slot), signal);
      const report = slot ? reportOf(slot) : null;
      if (report === null) throw notFound(name, slot?.stored ?? null);
      return report;
    },
    async putVm(name, request, signal) {
      checkPut(name, request);
      return submit(name, { kind: "put", ...request }, signal);
    },
    operate: submit,
    async lookFor(questions, signal) {
      const looked = await mapWithLimit(questions, LOOKED_FOR_AT_A_TIME, async (question) =>
        question === null ? null : lookFromFar(parts, question, signal),
      );
      signal.throwIfAborted();
      return looked.map((each) => (each.status === "fulfilled" ? each.value : null));
    },
    images: new NodeImages(parts),
    admit: (term) => parts.terms.admit(term),
    lease: (fleet, request) => parts.leases.ask(fleet, request),
    tellWhereabouts: (told) => parts.whereabouts.keep(told),
    operation(id, near = "") {
      const nearest = slots.get(near);
      for (const slot of nearest === undefined ? slots.values() : [nearest, ...slots.values()]) {
        const result = resultOf(slot, id);
        if (result) return result;
      }
      return null;
    },
    async serial(name) {
      return serialLine(parts, guestSlot(name));
    },
    counters: async (name, signal) => countersOf(guestSlot(name), signal),
    raw: async (name, request, signal) => rawCall(parts, guestSlot(name), request, signal),
    letIn: (name, channel, ticket) => moves.letIn(name, channel, ticket),
    async [Symbol.asyncDispose]() {
      if (stop.signal.aborted) return;
      stopClockwork();
      moves.close();
      stop.abort(new OdoroboError("AGENT_STOPPING", "the agent stops", { hint: "ask again once it runs again" }));
      await Promise.all([...slots.values()].map((slot) => slot.idle()));
      await Promise.all([...slots.values()].map((slot) => slot.letGo()));
      await parts.imageCache.idle();
      await parts.history[Symbol.asyncDispose]();
      await parts.reserve[Symbol.asyncDispose]();
    },
  };
}
