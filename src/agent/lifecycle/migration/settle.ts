/**
 * One look at where a guest is that was on its way from here, and what follows from it.
 *
 *   sending   it is called off over there as far as it can be reached, and runs on here
 *   given     the other node is asked to take it: it has → nothing of it is left here; it never will → it runs on here; no answer → null
 *
 * Invariant: in `given` it is let run on here only upon the other node's word that it never ran there and never will.
 */
import { isOdoroboError } from "../../../model/errors.ts";
import { removeRunFolder } from "../../leftovers.ts";
import type { Departure, VmRecord } from "../../store/vm-record.ts";
import { abilityOf } from "../acts/call-hypervisor.ts";
import { stopped } from "../acts/perform-stop.ts";
import { clearAway } from "../guest/clear-away.ts";
import { save } from "../operations/run-operation.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { noteLeft } from "./left-behind.ts";
import type { OtherNode } from "./other-node.ts";
import { departureState } from "./states.ts";

export interface Settled {
  readonly home: "here" | "there";
  readonly stored: VmRecord;
  readonly move: Departure;
  /** With `here`: for people. */
  readonly why: string;
}

const ABANDON_MS = 5_000;
const TAKE_MS = 30_000;
const STAY_MS = 30_000;

/** In the VM's queue. Rejects with the signal's reason. */
export async function settle(parts: Parts, slot: Slot, other: OtherNode, signal: AbortSignal): Promise<Settled | null> {
  const vm = slot.stored as VmRecord;
  const move = vm.move as Departure;
  if (move.stage === "given") return settleGiven(parts, slot, other, signal);
  const heard = await callOff(other, signal);
  if (heard !== "taken") {
    // It is not let run there without our word, so nobody waits for that node. But it keeps room, and perhaps all of the guest.
    const told: VmRecord = heard === "told" ? vm : { ...vm, calledOff: [...(vm.calledOff ?? []), move] };
    return stay(parts, slot, told, "it was called off", signal);
  }
  // A person let it run there: that is where it is.
  const given: Departure = { ...move, stage: "given" };
  await save(parts, slot, { ...vm, migration: departureState("given", given), move: given }, { fromReserve: true });
  return settleGiven(parts, slot, other, signal);
}

/** `taken`: too late. `unheard`: nobody knows. */
export async function callOff(other: OtherNode, signal: AbortSignal): Promise<"told" | "taken" | "unheard"> {
  try {
    const { taken } = await other.ask("abandon", {}, AbortSignal.any([signal, AbortSignal.timeout(ABANDON_MS)]));
    return taken ? "taken" : "told";
  } catch (error) {
    signal.throwIfAborted();
    // There is nothing to call off: it was refused, or forgotten.
    const isOver = isOdoroboError(error) && OVER.has(error.code);
    return isOver ? "told" : "unheard";
  }
}

const OVER: ReadonlySet<string> = new Set(["ARRIVAL_REFUSED", "UNAUTHORIZED", "WRONG_PHASE", "NOT_FOUND"]);

async function settleGiven(parts: Parts, slot: Slot, other: OtherNode, signal: AbortSignal): Promise<Settled | null> {
  const vm = slot.stored as VmRecord;
  const move = vm.move as Departure;
  let keeper: string | null;
  try {
    const answer = await other.ask("take", {}, AbortSignal.any([signal, AbortSignal.timeout(TAKE_MS)]));
    keeper = answer.id ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (isOdoroboError(error, "ARRIVAL_REFUSED")) return stay(parts, slot, vm, error.message, signal);
    parts.logger.warn(
      { err: error, vm: vm.name, node: move.to.node },
      "a node does not say whether it took a guest in",
    );
    return null;
  }
  try {
    await clearAway(parts, slot);
    await removeRunFolder(vm.name, parts.store.paths(vm.name).runFolder);
  } catch (error) {
    signal.throwIfAborted();
    parts.logger.error({ err: error, vm: vm.name }, "what is left of a guest that has moved cannot be ended");
    return null;
  }
  slot.leftAtMs = parts.clock.monotonicMs();
  const stored: VmRecord = {
    ...stopped(parts, vm, `it moved to ${move.to.node}`),
    migration: departureState("left", move),
    move: null,
    left: await noteLeft(parts, vm, move, keeper),
  };
  return { home: "there", stored, move, why: "" };
}

/** One without a process says so itself. */
async function hasEnded(guest: Guest, signal: AbortSignal): Promise<boolean> {
  const status = await guest.status(STAY_MS, signal).catch(() => null);
  signal.throwIfAborted();
  return status?.phase === "off" && status.hasMoved !== true;
}

/** Null: it cannot be let run on yet. */
async function stay(parts: Parts, slot: Slot, vm: VmRecord, why: string, signal: AbortSignal): Promise<Settled | null> {
  const move = vm.move as Departure;
  const { guest } = slot;
  const ours: VmRecord = { ...vm, migration: null, move: null };
  const isGone =
    guest === null || guest.exit !== null || (guest.process !== null && !parts.supervisor.isRunning(guest.process));
  // From here on it is ours to let run: one that was frozen when all of it was sent answers again.
  if (!isGone && guest.process !== null) await parts.supervisor.thaw(guest.process);
  // It ended here, as guests do: whoever looks at it next sees to that.
  if (isGone || (await hasEnded(guest, signal))) return { home: "here", stored: ours, move, why };
  try {
    await guest.askOnce(STAY_MS, signal, (connection, own) =>
      abilityOf(guest, connection.abilities.depart, "be moved by its agents").stay({ paused: move.paused }, own),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (guest.exit !== null) return { home: "here", stored: ours, move, why };
    parts.logger.warn({ err: error, vm: vm.name }, "a guest that was on its way cannot be let run on yet");
    return null;
  }
  const phase = move.paused ? "paused" : "running";
  return { home: "here", stored: { ...ours, phase, reason: null }, move, why };
}
