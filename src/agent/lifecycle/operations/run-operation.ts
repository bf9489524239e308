/**
 * Carries out one operation with its journal: what is going to be done is on disk before it is done, and how it ended
 * is on disk before anybody is told.
 *
 *   decide.ts → perform-*.ts (an Act) → [run-operation.ts] → store
 *
 * Writes, and why each is needed:
 * 1. begin: after a crash it tells that something may have been done outside the record, and what. An act that does
 *    nothing outside the record has no need of it: then the end is the only write, and the write is the act.
 * 2. during a boot, the process's handle (perform-boot.ts): after a crash it names the process.
 * 3. end: the new state, the serial, and the id with its outcome, in one.
 */
import { type ErrorBody, isOdoroboError, OdoroboError, toErrorBody } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import type { OperationDetail, OperationKind } from "../../../wire/operations.ts";
import { orStorageError } from "../../storage-error.ts";
import { type CompletedOperation, REMEMBERED_OPERATIONS, type StoredVm } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import type { Operation, Slot } from "../parts/slot.ts";

export interface Act {
  /** Before anything is begun: what it throws refuses the operation. Not run again when a later agent carries the act on. */
  readonly before?: () => Promise<void>;
  /** The record before anything is done. Null: nothing is done outside the record. */
  readonly begin: StoredVm | null;
  /** Does it, and says what the record is then. What it throws is a failure that changed nothing in the record. */
  run(signal: AbortSignal): Promise<Outcome>;
}

export interface Outcome {
  /** Null: nothing is left of the VM. */
  readonly stored: StoredVm | null;
  readonly error: OdoroboError | null;
  readonly detail?: OperationDetail;
}

/** Returns how it ended. Rejects when nothing was begun (INSUFFICIENT_STORAGE, STORAGE_FAILED), or when the agent stops meanwhile (AGENT_STOPPING). */
export async function runOperation(
  parts: Parts,
  slot: Slot,
  operation: Operation,
  act: Act,
): Promise<CompletedOperation> {
  await act.before?.();
  const fromReserve = GOES_FIRST.has(operation.kind);
  const unfinished = { ...operation, begunAt: parts.clock.now() };
  if (act.begin !== null) await save(parts, slot, { ...act.begin, unfinished }, { fromReserve });
  slot.activity = unfinished;
  let outcome: Outcome;
  const begunMs = parts.clock.monotonicMs();
  try {
    outcome = await act.run(parts.stopping);
  } catch (error) {
    if (parts.stopping.aborted) throw agentStopping(slot.name);
    outcome = { stored: knownOf(slot), error: toOdoroboError(parts, slot.name, operation, error) };
  } finally {
    slot.activity = null;
  }
  const tookMs = parts.clock.monotonicMs() - begunMs;
  if (outcome.error === null) noteDuration(parts, operation.kind, outcome, tookMs);
  const ended = await end(parts, slot, operation, outcome, act.begin === null);
  parts.tally.operationEnded(operation.kind, ended.error?.code ?? null, tookMs / 1_000);
  return ended;
}

/** What is of use to who predicts: moves, boots and stops that came to their end. */
function noteDuration(
  { clock, history }: Parts,
  kind: OperationKind,
  { stored, detail }: Outcome,
  tookMs: number,
): void {
  if (stored?.state !== "present") return;
  const sample = { at: clock.now(), seconds: rounded(tookMs / 1_000) };
  if (kind === "boot") history.note(stored.name, { boots: sample });
  if (kind === "shutdown") history.note(stored.name, { stops: sample });
  const { migration } = detail ?? {};
  if (kind !== "migrate" || migration === undefined) return;
  const { seconds, sentBytes, downtimeMs, checksums } = migration;
  const mode = checksums === undefined ? "live" : "cold";
  const amounts = { sentMiB: rounded(sentBytes / 2 ** 20), memoryMiB: stored.spec.memory.sizeMiB };
  history.note(stored.name, { moves: { ...sample, seconds: rounded(seconds), mode, downtimeMs, ...amounts } });
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;

async function end(
  parts: Parts,
  slot: Slot,
  operation: Operation,
  outcome: Outcome,
  writeIsTheAct: boolean,
): Promise<CompletedOperation> {
  const error = outcome.error && toErrorBody(outcome.error);
  const completed = completedOf(parts, operation, error, outcome.detail);
  if (outcome.stored === null) {
    slot.stored = null;
    return tell(parts, slot, completed);
  }
  if (!writeIsTheAct) return endOperation(parts, slot, operation, outcome.stored, error, outcome.detail);
  await save(parts, slot, concluded(outcome.stored, completed), { fromReserve: GOES_FIRST.has(operation.kind) });
  return tell(parts, slot, completed);
}

/** Writes down how an operation ended that did something outside the record. */
export async function endOperation(
  parts: Parts,
  slot: Slot,
  operation: Pick<Operation, "id" | "kind" | "run">,
  stored: StoredVm,
  error: ErrorBody | null,
  detail?: OperationDetail,
): Promise<CompletedOperation> {
  const completed = completedOf(parts, operation, error, detail);
  const failure = await keep(parts, slot, concluded(stored, completed));
  return tell(parts, slot, { ...completed, error: error ?? (failure && toErrorBody(failure)) });
}

const completedOf = (
  { clock }: Parts,
  { id, kind, run }: Pick<Operation, "id" | "kind" | "run">,
  error: ErrorBody | null,
  detail: OperationDetail | undefined,
): CompletedOperation => ({
  id,
  kind,
  error,
  at: clock.now(),
  ...(run === undefined ? {} : { run }),
  ...(detail === undefined ? {} : { detail }),
});

function tell(parts: Parts, slot: Slot, ended: CompletedOperation): CompletedOperation {
  slot.remember({ ...ended, noop: false });
  const message = `${ended.kind} of ${slot.name} ${ended.error === null ? "done" : `failed: ${ended.error.message}`}`;
  parts.events.emit({ kind: "operation", vm: slot.name, message });
  parts.logger.info({ vm: slot.name, operation: ended.id, run: ended.run, code: ended.error?.code }, message);
  return ended;
}

const concluded = (stored: StoredVm, completed: CompletedOperation): StoredVm => ({
  ...stored,
  serial: stored.serial + 1,
  unfinished: null,
  completed: [...stored.completed.filter((each) => each.id !== completed.id), completed].slice(-REMEMBERED_OPERATIONS),
});

/**
 * What ends a guest, takes something away or lets one go on: it makes room or needs none, so a full disk does not hold it up.
 * Everything else is refused there before it begins, and leaves the reserve to these.
 */
const GOES_FIRST: ReadonlySet<OperationKind> = new Set<OperationKind>([
  ...(["shutdown", "delete", "purge", "power-button", "migrate-send"] as const),
  ...(["pause", "resume", "detach"] as const),
]);

/** Disk first: when it is full, nothing has happened. `fromReserve`: as for the store. */
export async function save(
  parts: Parts,
  slot: Slot,
  stored: StoredVm,
  options: { readonly fromReserve?: boolean } = {},
): Promise<void> {
  await parts.store.save(stored, options);
  slot.stored = stored;
  slot.unsaved = false;
}

/** Memory first: it is so, whether the disk takes it or not. What the disk did not take is tried again with the next write. */
export async function keep(parts: Parts, slot: Slot, stored: StoredVm): Promise<OdoroboError | null> {
  slot.stored = stored;
  slot.unsaved = true;
  try {
    await parts.store.save(stored, { fromReserve: true });
    slot.unsaved = false;
    return null;
  } catch (error) {
    parts.logger.error({ err: error, vm: slot.name }, "could not write down what happened");
    const code = isOdoroboError(error) ? error.code : "STORAGE_FAILED";
    return new OdoroboError(code, `it was done, but the record of ${slot.name} could not be written`, {
      cause: error,
      hint: `${isOdoroboError(error) ? `${error.hint}; ` : ""}the agent tries again`,
    });
  }
}

const knownOf = (slot: Slot): StoredVm | null => (slot.stored?.state === "unreadable" ? null : slot.stored);

export const agentStopping = (name: VmName): OdoroboError =>
  new OdoroboError("AGENT_STOPPING", `the agent stops; what was begun on ${name} is in its journal`, {
    hint: "ask again once the agent runs again: with the same id it is done once",
  });

function toOdoroboError(parts: Parts, name: VmName, operation: Operation, thrown: unknown): OdoroboError {
  const error = orStorageError(`${operation.kind} of ${name} could not write`, thrown);
  if (isOdoroboError(error)) return error;
  parts.logger.error({ err: error, vm: name, operation: operation.id }, "an operation failed unexpectedly");
  return new OdoroboError("INTERNAL", `${operation.kind} of ${name} failed for a reason that odorobo did not foresee`, {
    cause: error,
    hint: "the agent's log on the node has the details",
  });
}
