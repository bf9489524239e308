/**
 * Migration by hand, one end at a time.
 *
 *   destination   migrate-receive: an empty process listens → done. Later, without an operation: the guest comes, or never will.
 *   source        migrate-send: the guest has left → done, the VM is off here; or it runs on here → failed.
 *
 * Invariants:
 * - From before the first byte is sent the source's record says that the guest may be elsewhere (`migration.role` is
 *   `source`). While it says so, nothing starts the VM here: not the agent by itself, not a boot that is asked for.
 * - A destination whose guest did not come keeps no process.
 */
import { access } from "node:fs/promises";
import { OdoroboError } from "../../../model/errors.ts";
import type { OperationRequest } from "../../../wire/operations.ts";
import { ownDiskFile } from "../../launch-command.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { driftOf } from "../guest/booted-spec.ts";
import { clearAway } from "../guest/clear-away.ts";
import { processWords } from "../guest/guest-event.ts";
import { watchGuest } from "../guest/guest-watch.ts";
import { noteEvent } from "../guest/note-event.ts";
import { runAfterHooks, runBeforeHooks, withAfterHooks } from "../operations/hook-points.ts";
import type { Act, Outcome } from "../operations/run-operation.ts";
import { describeExit, type Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Operation, Slot } from "../parts/slot.ts";
import { abilityOf, runningGuest } from "./call-hypervisor.ts";
import { guestToBe, type Launch, prepareLaunch, refuseSecondLife, startFailure, startProcess } from "./perform-boot.ts";
import { stopped } from "./perform-stop.ts";

/** From the start of the process to its listening. */
const LISTEN_DEADLINE_MS = 60_000;
const ASK_DEADLINE_MS = 10_000;
/** Beyond the time that the spec gives a migration: the hypervisor ends it itself first, and says why. */
const SLACK_MS = 60_000;
/** How often a process that an earlier agent left waiting is asked whether its guest has come. */
const ARRIVAL_POLL_MS = 2000;
/** A connection breaks a moment before it is known that, and how, the process ended. */
const EXIT_DEADLINE_MS = 1000;

type Asked<Kind extends OperationRequest["kind"]> = Extract<OperationRequest, { readonly kind: Kind }>;

/** Rejects with UNSUPPORTED, WRONG_PHASE, IMAGE_MISSING or HYPERVISOR_UNAVAILABLE. */
export async function prepareReceive(
  parts: Parts,
  slot: Slot,
  before: VmRecord,
  asked: Asked<"migrate-receive">,
): Promise<Act> {
  refuseSecondLife(parts, slot);
  const launch = await prepareLaunch(parts, slot, before);
  if (launch.hypervisor.receive === undefined)
    throw new OdoroboError("UNSUPPORTED", `${launch.hypervisor.kind} here cannot take in a guest from another node`, {
      hint: "cloud-hypervisor can",
    });
  await refuseMissingDisks(launch);
  const since = parts.clock.now();
  const begin: VmRecord = {
    ...before,
    ...launch.identity,
    guest: await guestToBe(parts, launch),
    restart: null,
    migration: { role: "destination", since, url: asked.url ?? "a free port" },
  };
  return {
    before: () => runBeforeHooks(parts, begin, "migrate-receive", asked),
    begin,
    run: (signal) => receive(parts, slot, launch, begin, asked, signal),
  };
}

async function receive(
  parts: Parts,
  slot: Slot,
  launch: Launch,
  begin: VmRecord,
  asked: Asked<"migrate-receive">,
  signal: AbortSignal,
): Promise<Outcome> {
  let vm = begin;
  let guest: Guest;
  let incoming: Awaited<ReturnType<Guest["receive"]>>;
  try {
    ({ vm, guest } = await startProcess(parts, slot, launch, vm, signal));
    incoming = await guest.receive({ url: asked.url ?? "", deadlineMs: LISTEN_DEADLINE_MS }, signal);
  } catch (error) {
    if (parts.stopping.aborted) throw error;
    const failure = await startFailure(launch, vm, error);
    await clearAway(parts, slot);
    return { stored: { ...stopped(parts, vm, failure.message), endedBy: "failure" }, error: failure };
  }
  const migration = { role: "destination", since: parts.clock.now(), url: incoming.url } as const;
  incoming.arrived
    .then(
      () => slot.enqueue(() => noteArrival(parts, slot, guest, asked)),
      (error: unknown) => slot.enqueue(() => noteNoArrival(parts, slot, guest, error)),
    )
    .catch((error: unknown) => {
      parts.logger.error({ err: error, vm: slot.name }, "could not note what became of a migration");
    });
  const reason = `it waits for a guest on ${incoming.url}`;
  return { stored: { ...vm, phase: "stopped", reason, migration }, error: null, detail: { url: incoming.url } };
}

/** A guest brings its memory and not its disks: both ends see the same bytes, or it would find others under its feet. */
async function refuseMissingDisks({ hypervisor, input }: Launch): Promise<void> {
  if (hypervisor.disks !== "real") return;
  for (const disk of input.spec.disks) {
    const file = ownDiskFile(input.paths, disk);
    if (file === null) continue;
    await access(file).catch((cause: unknown) => {
      throw new OdoroboError("IMAGE_MISSING", `disk ${disk.name} of ${input.name} is not on this node: ${file}`, {
        cause,
        hint: "a migration moves memory only: use storage that both nodes share, or bring the disk here first",
      });
    });
  }
}

/** In the queue. Also when a process that an earlier agent left waiting answers. */
export async function noteArrival(
  parts: Parts,
  slot: Slot,
  guest: Guest,
  asked: Pick<Operation, "id" | "kind"> | null,
): Promise<void> {
  const vm = slot.stored;
  if (slot.guest !== guest || vm?.state !== "present" || vm.guest === null || parts.stopping.aborted) return;
  slot.live = await guest
    .ask(ASK_DEADLINE_MS, parts.stopping, (connection, own) => connection.liveConfig(own))
    .catch(() => null);
  watchGuest(parts, slot, guest, { ready: null, logSizes: vm.guest.logSizes });
  const drift = slot.live === null ? [] : driftOf(slot.live, vm.spec, vm.guest.bootedSpec);
  const since = parts.clock.now();
  const change = { phase: "running", endedBy: null, reason: null, ready: null, since, drift, migration: null } as const;
  await noteEvent(parts, slot, vm, change, { kind: "phase", message: `${vm.name} has arrived from another node` });
  await runAfterHooks(parts, slot, "migrate-receive", asked);
}

/** In the queue. Only the end of its process helps a hypervisor whose guest did not come. */
async function noteNoArrival(parts: Parts, slot: Slot, guest: Guest, error: unknown): Promise<void> {
  const vm = slot.stored;
  if (slot.guest !== guest || vm?.state !== "present" || parts.stopping.aborted) return;
  const why = guest.exit !== null ? `its process ended (${describeExit(guest.exit)})` : messageOf(error);
  const words = await processWords(parts, vm);
  await clearAway(parts, slot);
  const reason = `it waited for a guest that did not come: ${why}${said(words)}`;
  const change = { ...stopped(parts, vm, reason), endedBy: "failure" } as const;
  await noteEvent(parts, slot, vm, change, { kind: "phase", message: `${vm.name} stopped: ${reason}` });
}

/** For a process that an earlier agent left waiting: it answers nothing until its guest is there. */
export function awaitArrival(parts: Parts, slot: Slot, guest: Guest): void {
  guest.receiving = true;
  const lookAgain = () => {
    slot.enqueue(look).catch((error: unknown) => {
      parts.logger.error({ err: error, vm: slot.name }, "could not look whether a guest has arrived");
    });
  };
  const timer = setInterval(lookAgain, ARRIVAL_POLL_MS);
  timer.unref();
  guest.released.addEventListener("abort", () => clearInterval(timer), { once: true });
  const forget = guest.onChange(lookAgain);
  lookAgain();

  async function look(): Promise<void> {
    if (slot.guest !== guest || !guest.receiving || parts.stopping.aborted) return;
    if (guest.exit !== null) return noteNoArrival(parts, slot, guest, null);
    const arrival = await guest.arrival(ARRIVAL_POLL_MS / 2, parts.stopping);
    if (arrival === "awaited") return;
    clearInterval(timer);
    forget();
    if (arrival === "here") return noteArrival(parts, slot, guest, null);
    await noteNoArrival(parts, slot, guest, new Error("its hypervisor has given up receiving"));
  }
}

/** Rejects with WRONG_PHASE or UNSUPPORTED. */
export function prepareSend(parts: Parts, slot: Slot, vm: VmRecord, asked: Asked<"migrate-send">): Act {
  const guest = runningGuest(slot);
  if (guest.connection !== null) abilityOf(guest, guest.connection.abilities.migrate, "be sent to another node");
  const { url, local } = asked;
  const leaving: VmRecord = { ...vm, migration: { role: "source", since: parts.clock.now(), url } };
  const deadlineMs = vm.spec.migration.timeoutSeconds * 1000 + SLACK_MS;
  return {
    before: () => runBeforeHooks(parts, vm, "migrate-send", asked),
    begin: leaving,
    async run(signal) {
      try {
        await guest.askOnce(deadlineMs, signal, (connection, own) =>
          abilityOf(guest, connection.abilities.migrate, "be sent to another node")({ url, local }, own),
        );
      } catch (error) {
        signal.throwIfAborted();
        return notSent(parts, slot, guest, leaving, error);
      }
      await clearAway(parts, slot);
      const left = { ...stopped(parts, vm, `migrated to ${url}`), migration: leaving.migration ?? null };
      return withAfterHooks(parts, slot, "migrate-send", asked, { stored: left, error: null });
    },
  };
}

/** It runs on here; or it is gone and may have arrived; or nobody can tell, and then it may be there. */
async function notSent(parts: Parts, slot: Slot, guest: Guest, leaving: VmRecord, cause: unknown): Promise<Outcome> {
  const words = said(await processWords(parts, leaving));
  const failure =
    cause instanceof OdoroboError
      ? withWords(cause, words)
      : new OdoroboError("HYPERVISOR_FAILED", `${leaving.name} could not be sent to another node${words}`, { cause });
  // A refusal says that it runs on here; silence says nothing, and is often the first sign of an end.
  const stays = failure.code !== "HYPERVISOR_UNAVAILABLE";
  const exit = stays ? guest.exit : await guest.exitWithin(EXIT_DEADLINE_MS);
  if (exit === null) return { stored: stays ? { ...leaving, migration: null } : leaving, error: failure };
  const how = describeExit(exit);
  await clearAway(parts, slot);
  const reason = `its process ended (${how}) while it was sent to ${leaving.migration?.url}: it may run there${words}`;
  const error = new OdoroboError("HYPERVISOR_FAILED", `${leaving.name}: ${reason}`, {
    cause,
    hint: "look on the other node; it is not started here while it may run there",
  });
  return { stored: { ...stopped(parts, leaving, reason), migration: leaving.migration ?? null }, error };
}

const said = (words: string): string => (words === "" ? "" : `; its process said: ${words}`);

/** The other side's are in the reason of its VM: each tells its own half. */
const withWords = (error: OdoroboError, words: string): OdoroboError =>
  new OdoroboError(error.code, `${error.message}${words}`, {
    cause: error,
    hint: `${error.hint ?? "try again"}; the other side's half is in odorobo vm info there`,
  });

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
