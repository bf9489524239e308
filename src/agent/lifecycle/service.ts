/**
 * The agent's lifecycle: takes requests in, gives each VM its queue, and knows all that runs on this node.
 *
 *   http → [service.ts] → operations/decide.ts → acts/ → operations/run-operation.ts → hypervisor, supervisor, storage, store
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
import type { NodeName, VmName } from "../../model/names.ts";
import type { Capacity } from "../../model/observed-state.ts";
import type { Clock } from "../../platform/clock.ts";
import { mapWithLimit } from "../../platform/limit.ts";
import { type Logger, silentLogger } from "../../platform/logger.ts";
import type { OperationKind, OperationResult } from "../../wire/operations.ts";
import type { StartAfterReboot } from "../config.ts";
import { noSerialLines, type SerialLines } from "../console/serial-lines.ts";
import { type Hooks, NO_HOOKS } from "../hooks/hooks.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { type HostNetwork, hostNetwork } from "../network/tap.ts";
import { type DiskStorage, diskStorage } from "../storage/disk-storage.ts";
import type { VmRecord } from "../store/vm-record.ts";
import { openVmStore, type VmStore } from "../store/vm-store.ts";
import { openWhereaboutsStore } from "../store/whereabouts-store.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { countersOf, rawCall } from "./acts/call-hypervisor.ts";
import { forgetTexts } from "./acts/perform-put.ts";
import { prepareAct, prepareRest } from "./acts/prepare-act.ts";
import { refresh } from "./guest/refresh-guest.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { nodeReport, notFound, reportOf } from "./node-report.ts";
import { checkName, checkPut } from "./operations/check-spec.ts";
import { decide } from "./operations/decide.ts";
import { agentStopping, keep, runOperation } from "./operations/run-operation.ts";
import { untilAborted } from "./parts/deadline.ts";
import type { Request } from "./parts/decision.ts";
import { createEventLog } from "./parts/event-log.ts";
import { probeHypervisors } from "./parts/hypervisor-reports.ts";
import type { Parts } from "./parts/parts.ts";
import { Slot } from "./parts/slot.ts";
import { adopt } from "./recovery/adopt.ts";
import { restartGuest } from "./recovery/restart-guest.ts";
import { Restarts, restartOf } from "./recovery/restarts.ts";
import { createSweep } from "./recovery/sweep.ts";
import { resultOf, toResult } from "./results.ts";
import { serialLine } from "./serial-line.ts";

export interface LifecycleOptions {
  readonly node: {
    readonly name: NodeName;
    readonly id: string;
    readonly agentVersion: string;
    readonly bootId: string;
  };
  readonly capacity: Capacity;
  readonly hypervisors: readonly Hypervisor[];
  readonly supervisor: Supervisor;
  /** Absolute. One agent each: see `lockDataFolder`. */
  readonly dataFolder: string;
  /** Absolute and short: sockets live below it. */
  readonly runFolder: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** How often expired tombstones are looked for. */
  readonly sweepEveryMs?: number;
  /** How often it is looked whether a guest is to be started again. */
  readonly restartEveryMs?: number;
  /** `auto` when left out. */
  readonly startAfterReboot?: StartAfterReboot;
  /** None when left out. */
  readonly hooks?: Hooks;
  /** Where people may have files written and taken from. None when left out. */
  readonly allowedRoots?: readonly string[];
  readonly store?: VmStore;
  readonly storage?: DiskStorage;
  readonly network?: HostNetwork;
  /** Who keeps guests' serial lines. Left out: nobody does. */
  readonly consoles?: SerialLines;
}

/** How many guests are asked at a time: enough that a hundred silent ones hold up a report no longer than one. */
const ASKED_AT_A_TIME = 256;
/** Retention is counted in days; a minute late harms nobody. */
const SWEEP_EVERY_MS = 60_000;
/** The first start again is due after a second. */
const RESTART_EVERY_MS = 250;

/** Resolves when everything that runs on this node is known again. */
export async function createLifecycle(options: LifecycleOptions): Promise<Lifecycle> {
  const { clock, logger = silentLogger } = options;
  const stop = new AbortController();
  const startedAt = clock.now();
  const store = options.store ?? (await openVmStore(options));
  const [stored, whereabouts, reports] = await Promise.all([
    store.load(),
    openWhereaboutsStore(options.dataFolder, logger),
    probeHypervisors(options.hypervisors, { clock, logger, stopping: stop.signal }),
  ]);
  const parts: Parts = {
    node: { ...options.node, startedAt },
    hypervisors: new Map(options.hypervisors.map((each) => [each.kind, each])),
    reports,
    supervisor: options.supervisor,
    store,
    storage: options.storage ?? diskStorage,
    network: options.network ?? hostNetwork({ owner: null }),
    consoles: options.consoles ?? noSerialLines,
    clock,
    logger,
    events: createEventLog(clock),
    hooks: options.hooks ?? NO_HOOKS,
    whereabouts,
    startAfterReboot: options.startAfterReboot ?? "auto",
    allowedRoots: options.allowedRoots ?? [],
    stopping: stop.signal,
  };
  const slots = new Map(stored.map((each) => [each.name, new Slot(each.name, each)]));
  const ask = (slot: Slot): Promise<void> => look(parts, slot);

  await mapWithLimit([...slots.values()], ASKED_AT_A_TIME, (slot) => slot.enqueue(() => adoptSafely(parts, slot)));
  for (const slot of slots.values()) carryOn(slot);
  await mapWithLimit([...slots.values()], ASKED_AT_A_TIME, ask);
  const sweep = createSweep(parts);
  const sweepAll = () => sweep([...slots.values()]);
  sweepAll();
  const sweeper = setInterval(sweepAll, options.sweepEveryMs ?? SWEEP_EVERY_MS);
  sweeper.unref();
  const restarts = new Restarts(parts, startAgain);
  const restarter = setInterval(() => restarts.look(slots.values()), options.restartEveryMs ?? RESTART_EVERY_MS);
  restarter.unref();

  /** The agent's own idea, and an operation like any other: journaled, and what is asked for meanwhile waits for it. */
  function startAgain(slot: Slot): Promise<OperationResult> {
    const serial = slot.stored?.state === "present" ? slot.stored.serial : 0;
    const operation = { id: `restart-of-${slot.name}-${serial}`, kind: "boot", graceSeconds: null } as const;
    return track(slot, operation.id, operation.kind, async () => {
      if (stop.signal.aborted) throw agentStopping(slot.name);
      const restart = restartOf(slot);
      const vm = slot.stored as VmRecord;
      if (restart === null) {
        if (slot.stored?.state === "present" && vm.restart) await keep(parts, slot, { ...vm, restart: null });
        return toResult(slot, { ...operation, error: null, noop: true });
      }
      const which = restart.attempts === 1 ? "" : `, start ${restart.attempts} in a row`;
      parts.events.emit({ kind: "phase", vm: slot.name, message: `${slot.name} is started again${which}` });
      return toResult(slot, { ...(await restartGuest(parts, slot, vm, operation, restart)), noop: false });
    });
  }

  /** What an earlier agent had begun and left in the journal goes on under its own id. */
  function carryOn(slot: Slot): void {
    const { stored: known } = slot;
    if (known === null || known.state === "unreadable" || known.unfinished === null) return;
    const operation = known.unfinished;
    void track(slot, operation.id, operation.kind, async () => {
      const ended = await runOperation(parts, slot, operation, prepareRest(parts, slot, operation));
      return toResult(slot, { ...ended, noop: false });
    });
  }

  function track(
    slot: Slot,
    id: string,
    kind: OperationKind,
    run: () => Promise<OperationResult>,
  ): Promise<OperationResult> {
    const result = slot.enqueue(run).finally(() => slot.inFlight.delete(id));
    slot.inFlight.set(id, { kind, result });
    // A caller that went away leaves nobody to hear of a failure; the record and the log have it.
    result.catch(() => {});
    return result;
  }

  async function submit(name: VmName, request: Request, signal: AbortSignal): Promise<OperationResult> {
    checkName(name);
    if (stop.signal.aborted) throw agentStopping(name);
    let slot = slots.get(name);
    if (!slot) {
      slot = new Slot(name, null);
      slots.set(name, slot);
    }
    const running = slot.inFlight.get(request.id);
    if (running) return untilAborted(running.result, signal);
    const turnHasCome = hurryOthers(slot, request);
    const mine = slot;
    const kind = request.kind === "put" ? (slot.stored?.state === "present" ? "update" : "create") : request.kind;
    const result = track(slot, request.id, kind, () => {
      turnHasCome();
      return perform(mine, request);
    });
    return untilAborted(result, signal);
  }

  /** In the queue, when the request's turn has come. */
  async function perform(slot: Slot, request: Request): Promise<OperationResult> {
    if (stop.signal.aborted) throw agentStopping(slot.name);
    const before = slot.stored;
    if (before === null && request.kind === "put") slot.forgetFormerLife();
    const decision = decide(slot.name, request, before, slot.remembered(request.id));
    switch (decision.decision) {
      case "refuse":
        throw new OdoroboError(decision.code, decision.message, { hint: decision.hint });
      case "remembered":
        return toResult(slot, { noop: false, ...decision.operation });
      case "no-op": {
        const ended = { id: request.id, kind: decision.kind, error: null, noop: true };
        slot.remember(ended);
        return toResult(slot, ended);
      }
      case "act": {
        const act = await prepareAct(parts, slot, decision.kind, request);
        const graceSeconds = "graceSeconds" in request ? request.graceSeconds : null;
        const ended = await runOperation(parts, slot, { id: request.id, kind: decision.kind, graceSeconds }, act);
        if (request.kind === "put") await forgetTexts(parts, before, slot.stored);
        if (request.kind === "delete") sweep([slot]);
        return toResult(slot, { ...ended, noop: false });
      }
    }
  }

  /** Of a VM that is here; throws NOT_FOUND. */
  function guestSlot(name: VmName): Slot {
    const slot = slots.get(name);
    if (slot?.stored?.state !== "present") throw notFound(name, slot?.stored ?? null);
    return slot;
  }

  return {
    events: parts.events,
    async report(signal) {
      await untilAborted(mapWithLimit([...slots.values()], ASKED_AT_A_TIME, ask), signal);
      return nodeReport(parts, options.capacity, slots.values(), whereabouts.all());
    },
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
    tellWhereabouts: (told) => whereabouts.keep(told),
    operation(id) {
      for (const slot of slots.values()) {
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
    async [Symbol.asyncDispose]() {
      if (stop.signal.aborted) return;
      clearInterval(sweeper);
      clearInterval(restarter);
      stop.abort(new OdoroboError("AGENT_STOPPING", "the agent stops", { hint: "ask again once it runs again" }));
      await Promise.all([...slots.values()].map((slot) => slot.idle()));
      await Promise.all([...slots.values()].map((slot) => slot.letGo()));
    },
  };
}

/** Looks at a guest, unless something is being done to it: then what is known stands. */
async function look(parts: Parts, slot: Slot): Promise<void> {
  if (slot.guest === null || slot.guest.receiving || slot.inFlight.size > 0 || slot.rawCalls > 0) return;
  await slot.enqueueLook(() => refresh(parts, slot));
}

/** A VM that the agent cannot find out about must neither keep it from starting nor be taken for something that it is not. */
async function adoptSafely(parts: Parts, slot: Slot): Promise<void> {
  try {
    await adopt(parts, slot);
  } catch (error) {
    if (parts.stopping.aborted) return;
    parts.logger.error({ err: error, vm: slot.name }, "could not find out what became of a VM");
    const problem = `could not find out what became of its guest: ${error instanceof Error ? error.message : error}`;
    await slot.letGo();
    slot.stored = { state: "unreadable", name: slot.name, problem };
  }
}

/** An end of a guest need not wait for its probe; one without grace need not wait for another's grace either. */
function hurryOthers(slot: Slot, request: Request): () => void {
  if (request.kind !== "shutdown" && request.kind !== "reboot" && request.kind !== "delete") return () => {};
  const turns = [slot.probes.begin()];
  if (request.graceSeconds === 0) turns.push(slot.graces.begin());
  return () => {
    for (const turnHasCome of turns) turnHasCome();
  };
}
