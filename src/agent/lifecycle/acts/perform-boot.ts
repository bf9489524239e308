/**
 * Starts a guest: checks, disks, process, connection, probe.
 *
 * Invariants: the record says that a guest is being started before there is a process, and names the process as soon as
 * there is one, so no crash of the agent lets a second one start. A start that fails leaves no process behind.
 */

import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { Hypervisor, LaunchInput } from "../../hypervisor/hypervisor.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import { makeEmptyRunFolder } from "../../leftovers.ts";
import { orStorageError } from "../../storage-error.ts";
import type { GuestRecord, RestartRecord, VmRecord } from "../../store/vm-record.ts";
import { driftOf } from "../guest/booted-spec.ts";
import { checkSources } from "../guest/check-sources.ts";
import { claimDisks } from "../guest/claim-disks.ts";
import { claimHostPorts } from "../guest/claim-host-ports.ts";
import { clearAway } from "../guest/clear-away.ts";
import { launchInput } from "../guest/guest-input.ts";
import { watchGuest } from "../guest/guest-watch.ts";
import { prepareHostSide } from "../guest/host-side.ts";
import { checkImages, notedDisks } from "../guest/images-below.ts";
import { lastWords, prepareLogs } from "../guest/logs.ts";
import { restartAfterFailedStart, restartStory } from "../guest/restart-policy.ts";
import { runBeforeHooks, withAfterHooks, withWarnings } from "../operations/hook-points.ts";
import { type Act, type Outcome, save } from "../operations/run-operation.ts";
import { untilAborted, within } from "../parts/deadline.ts";
import { describeExit, Guest } from "../parts/guest.ts";
import { describeUntried } from "../parts/hypervisor-reports.ts";
import type { Parts } from "../parts/parts.ts";
import type { Operation, Slot } from "../parts/slot.ts";
import { checkBootFiles } from "./boot-files.ts";
import { type Identity, identityOf } from "./identity.ts";
import { checkHostHas, hooksMayBringIt } from "./look-ahead.ts";
import { disksMade, prepareDisks } from "./prepare-disks.ts";
import { checkSnapshotPaths } from "./snapshot-paths.ts";

/** From the start of the process to the first answer. A loaded host that emulates starts slowly; a broken one ends, which is noticed at once. */
const CONNECT_DEADLINE_MS = 60_000;
/** From the connection to the first look at what runs. */
const ASK_DEADLINE_MS = 10_000;

/** What was found out before anything is done. */
export interface Launch {
  readonly hypervisor: Hypervisor;
  readonly input: LaunchInput;
  readonly command: LaunchCommand | null;
  /** For the record, before the guest learns of it. */
  readonly identity: Identity & Pick<VmRecord, "hostPorts">;
}

/** Rejects with what makes the boot impossible; nothing has been done then. */
export async function prepareLaunch(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  incoming: Pick<LaunchInput, "machine" | "incoming"> | null = null,
): Promise<Launch> {
  await parts.reports.require(vm.spec.hypervisor);
  const hypervisor = parts.hypervisors.get(vm.spec.hypervisor) as Hypervisor;
  const { spec, ...chosen } = await claimHostPorts(parts, slot, vm);
  if (hypervisor.disks === "real") {
    await checkBootFiles(vm.name, spec, new Set(notedDisks(vm).map((disk) => disk.name)));
    await checkImages(parts, vm);
    await checkHostHas(parts, vm.name, spec, slot.guest !== null);
  }
  const identity = await identityOf(parts, vm);
  const bare = { ...(await launchInput(parts, vm.name, spec)), ...identity, ...incoming };
  const machine = incoming === null ? hypervisor.machineOf?.(bare) : incoming.machine;
  const input = machine === undefined ? bare : { ...bare, machine };
  try {
    await checkSources(hypervisor, input);
  } catch (error) {
    // Who guesses formats must not be given what nobody has looked at.
    const mayCome = isOdoroboError(error, "IMAGE_MISSING") && hypervisor.guessesFormats?.() !== true;
    if (!mayCome || !(await hooksMayBringIt(parts))) throw error;
  }
  await claimDisks(parts, slot, spec, slot.guest === null ? null : (vm.guest?.bootedSpec ?? null));
  return { hypervisor, input, command: hypervisor.compile(input), identity: { ...identity, ...chosen } };
}

export interface BootOrder {
  readonly operation: Pick<Operation, "id" | "kind">;
  /** Set when the start is the agent's own idea: how often it has tried, this time included. */
  readonly restart?: RestartRecord;
  readonly fromSnapshot?: string;
}

/** What is found to be impossible before anything is begun is a boot that failed: the record says why. Rejects with WRONG_PHASE. */
export async function prepareBoot(parts: Parts, slot: Slot, before: VmRecord, order: BootOrder): Promise<Act> {
  refuseSecondLife(parts, slot);
  const vm: VmRecord = { ...before, restart: order.restart ?? null, migration: null };
  let launch: Launch;
  try {
    launch = await prepareLaunch(parts, slot, vm);
    if (order.fromSnapshot !== undefined) {
      await checkSnapshotPaths(parts, launch, order.fromSnapshot);
      launch = withSnapshot(launch, order.fromSnapshot);
    }
  } catch (error) {
    if (!(error instanceof OdoroboError)) throw error;
    return { begin: null, run: async () => ({ stored: refused(parts, vm, error.message), error }) };
  }
  const begin = { ...vm, ...launch.identity, guest: await guestToBe(parts, launch) };
  return {
    before: () => runBeforeHooks(parts, vm, "boot", order.operation),
    begin,
    run: async (signal) => {
      const from = order.fromSnapshot === undefined ? {} : { fromSnapshot: order.fromSnapshot };
      return withAfterHooks(parts, slot, "boot", order.operation, await boot(parts, slot, launch, begin, signal, from));
    },
  };
}

/** A process that is held to what it needs may read the snapshot, too. */
function withSnapshot(launch: Launch, folder: string): Launch {
  const { command } = launch;
  if (command === null) return launch;
  return { ...launch, command: { ...command, needs: { ...command.needs, reads: [...command.needs.reads, folder] } } };
}

/** The record of a VM whose boot failed. */
export function notBooted(parts: Parts, vm: VmRecord, reason: string): VmRecord {
  const restart = restartAfterFailedStart(vm, { now: parts.clock.now(), hostBootId: parts.node.bootId });
  return {
    ...vm,
    guest: null,
    phase: "crashed",
    endedBy: "failure",
    reason: restart?.givenUp ? reason + restartStory(restart) : reason,
    ready: null,
    drift: [],
    since: parts.clock.now(),
    restart,
  };
}

/** Nothing was begun: what was shut down, or powered itself off, is as it was, and no run strategy takes it for a failure. */
function refused(parts: Parts, vm: VmRecord, reason: string): VmRecord {
  const tried = notBooted(parts, vm, reason);
  const { phase, endedBy, since } = vm;
  const wasEnded = phase === "stopped" && (endedBy === "operator" || endedBy === "guest");
  return wasEnded ? { ...tried, phase, endedBy, since } : tried;
}

/** A process that could not be ended is still there: there will be no second one beside it. */
export function refuseSecondLife(parts: Parts, slot: Slot): void {
  const process = slot.guest?.process;
  if (!process || !parts.supervisor.isRunning(process)) return;
  throw new OdoroboError("WRONG_PHASE", `${slot.name} still has process ${process.pid} of its last life`, {
    hint: "it does not end: look at dmesg on the node, then try again",
  });
}

export async function guestToBe(parts: Parts, launch: Launch): Promise<GuestRecord> {
  const logSizes = await prepareLogs(launch.input.paths.logFolder);
  const { spec, machine } = launch.input;
  const known = machine === undefined || machine === null ? {} : { machine };
  return { process: null, hostBootId: parts.node.bootId, bootedSpec: spec, logSizes, ...known };
}

/** `begun` is the record as it is on disk now, with a guest to be. */
export async function boot(
  parts: Parts,
  slot: Slot,
  launch: Launch,
  begun: VmRecord,
  signal: AbortSignal,
  from: { readonly fromSnapshot?: string } = {},
): Promise<Outcome> {
  const guestRecord = begun.guest as GuestRecord;
  let vm = begun;
  let guest: Guest;
  try {
    // A guest out of a snapshot knows its disks as they were.
    const grow = from.fromSnapshot === undefined;
    vm = { ...vm, ...(await prepareDisks(parts, launch.hypervisor, vm, { grow, signal })) };
    ({ vm, guest } = await startProcess(parts, slot, launch, vm, signal));
    await guest.connect({ fresh: true, deadlineMs: CONNECT_DEADLINE_MS, ...from }, signal);
    slot.live = await guest.ask(ASK_DEADLINE_MS, signal, (connection, own) => connection.liveConfig(own));
  } catch (error) {
    if (parts.stopping.aborted) throw error;
    return failedBoot(parts, slot, launch, vm, error);
  }
  watchGuest(parts, slot, guest, { ready: null, logSizes: guestRecord.logSizes });
  const running: VmRecord = {
    ...vm,
    phase: "running",
    endedBy: null,
    reason: null,
    since: parts.clock.now(),
    ready: null,
    owed: [],
    drift: driftOf(slot.live, vm.spec, guestRecord.bootedSpec),
  };
  return withWarnings(await awaitReady(parts, slot, running, launch.input.spec, signal), untriedOf(parts, launch));
}

function untriedOf(parts: Parts, { hypervisor: { kind } }: Launch): readonly string[] {
  const report = parts.reports.current().find((each) => each.kind === kind);
  return report?.untried ? [describeUntried(report)] : [];
}

/** Makes what the guest needs of its host, and starts its process, if it has one. The slot holds the guest then. */
export async function startProcess(
  parts: Parts,
  slot: Slot,
  launch: Launch,
  vm: VmRecord,
  signal: AbortSignal,
): Promise<{ readonly vm: VmRecord; readonly guest: Guest }> {
  await makeEmptyRunFolder(launch.input.name, launch.input.paths.runFolder);
  await prepareHostSide(parts, launch.hypervisor, launch.input, signal);
  if (launch.command === null) {
    const guest = newGuest(parts, launch, null);
    slot.guest = guest;
    return { vm, guest };
  }
  const process = await parts.supervisor.start(vm.name, launch.command, signal);
  const guest = newGuest(parts, launch, process);
  slot.guest = guest;
  // Without this write a crash right now would leave a process that only a search of all processes can find.
  const started = { ...vm, guest: { ...(vm.guest as GuestRecord), process } };
  await save(parts, slot, { ...started, unfinished: unfinishedOf(slot) }, { fromReserve: true });
  return { vm: started, guest };
}

function newGuest(parts: Parts, launch: Launch, process: Guest["process"]): Guest {
  const { supervisor, consoles } = parts;
  return new Guest({ hypervisor: launch.hypervisor, input: launch.input, process, supervisor, consoles });
}

const unfinishedOf = (slot: Slot) =>
  slot.stored !== null && slot.stored.state === "present" ? slot.stored.unfinished : null;

async function awaitReady(parts: Parts, slot: Slot, vm: VmRecord, spec: VmSpec, signal: AbortSignal): Promise<Outcome> {
  const guest = slot.guest as Guest;
  if (spec.ready === null || guest.readiness === null) return { stored: vm, error: null };
  const { timeoutSeconds } = spec.ready;
  const ended = new AbortController();
  const forget = guest.onChange(() => {
    if (guest.exit !== null) ended.abort(new EndedEarly(describeExit(guest.exit)));
  });
  const { readiness } = guest;
  try {
    await within(
      timeoutSeconds * 1000,
      signal,
      (own) => untilAborted(readiness, AbortSignal.any([own, ended.signal, slot.probes.signal()])),
      () => new Error(`within ${timeoutSeconds} s`),
    );
    return { stored: { ...vm, ready: true, readySince: parts.clock.now() }, error: null };
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    if (error instanceof EndedEarly) return { stored: vm, error: notReady(vm, spec, `it ended first (${why})`) };
    // Left running: whether a guest that is late is of no use is not ours to say.
    return { stored: { ...vm, ready: false }, error: notReady(vm, spec, why) };
  } finally {
    forget();
  }
}

class EndedEarly extends Error {}

const notReady = (vm: VmRecord, spec: VmSpec, why: string): OdoroboError => {
  const probe = spec.ready?.kind === "tcp" ? `port ${spec.ready.port}` : JSON.stringify(spec.ready?.pattern);
  return new OdoroboError("GUEST_NOT_READY", `${vm.name} runs but was not ready (${probe}): ${why}`, {
    hint: `look what it says: odorobo vm logs ${vm.name}`,
  });
};

async function failedBoot(parts: Parts, slot: Slot, launch: Launch, vm: VmRecord, error: unknown): Promise<Outcome> {
  const failure = await startFailure(launch, vm, error);
  await clearAway(parts, slot);
  const known = { ...vm, ownDisks: await disksMade(parts, vm) };
  return { stored: notBooted(parts, known, failure.message), error: failure };
}

/** With what the hypervisor said last. */
export async function startFailure(launch: Launch, vm: VmRecord, thrown: unknown): Promise<OdoroboError> {
  const error = orStorageError(`${vm.name} could not be started: its files could not be written`, thrown);
  const words = launch.command === null ? "" : await lastWords(launch.command.outputFile, vm.guest?.logSizes ?? {});
  const failure =
    error instanceof OdoroboError
      ? error
      : new OdoroboError("HYPERVISOR_FAILED", `${vm.name} could not be started`, { cause: error });
  const told = launch.hypervisor.explainStart?.(launch.input.spec, words) ?? null;
  const message = told !== null ? `${vm.name} could not be started: ${told}` : withWords(failure.message, words);
  return new OdoroboError(failure.code, message, {
    cause: error,
    hint: failure.hint ?? "look at the hypervisor's output on the node",
  });
}

const withWords = (message: string, words: string): string => (words === "" ? message : `${message}: ${words}`);
