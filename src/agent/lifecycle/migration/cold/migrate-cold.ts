/**
 * The second half of a cold move, at the node that has the VM: it is off, its files are sent and compared, and then it is given.
 *
 *   moves.ts → [migrate-cold.ts] → send-disks.ts; the hand-over is that of live moves (migrate.ts, settle.ts)
 *
 * It waits for nobody's guest, so nothing is called off for a break: it goes on with what is not there yet, until it was away from the other node for
 * long, or a person calls it off. Its files stay as they are all the while.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { digestOfText } from "../../../../model/digest.ts";
import { type ErrorCode, isOdoroboError, OdoroboError } from "../../../../model/errors.ts";
import type { DiskFile, TravellingVm } from "../../../../wire/move-line.ts";
import type { OperationRequest } from "../../../../wire/operations.ts";
import type { Sent } from "../../../hypervisor/hypervisor.ts";
import type { Departure, UnfinishedOperation, VmRecord } from "../../../store/vm-record.ts";
import { runBeforeHooks } from "../../operations/hook-points.ts";
import type { Act, Outcome } from "../../operations/run-operation.ts";
import type { Parts } from "../../parts/parts.ts";
import type { Slot } from "../../parts/slot.ts";
import { checkTarget, NOTHING_SENT, steer, travellerOf } from "../migrate.ts";
import type { OtherNode } from "../other-node.ts";
import type { Settling } from "../settling.ts";
import { departureState } from "../states.ts";
import { type ColdDisk, coldDisks, describeDisks, disksToSend, flattened, removeFlattened } from "./disk-files.ts";
import { type SentFile, sendDisks, Toll } from "./send-disks.ts";

type Migrate = Extract<OperationRequest, { readonly kind: "migrate" }>;

export interface ColdPace {
  /** How long the other node may be away before the move is called off; how long it waits for us is for it to say, and longer. */
  readonly coldPatienceMs?: number;
}

/** A host that starts anew, with its checks, is back by then. */
const PATIENCE_MS = 15 * 60_000;
const PREPARE_MS = 120_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
/** Files that are not there as they were sent: once may be a fault of the memory, three times is none. */
const MOST_MISMATCHES = 3;

/** Rejects with UNSUPPORTED, BAD_REQUEST or STORAGE_FAILED. */
export async function prepareColdMigrate(
  parts: Parts,
  slot: Slot,
  settling: Settling,
  { vm, asked, pace }: { readonly vm: VmRecord; readonly asked: Migrate; readonly pace: ColdPace },
): Promise<Act> {
  checkTarget(parts, vm, asked);
  await disksToSend(parts, vm);
  const ticket = digestOfText(asked.to.ticket);
  await parts.store.saveTexts(vm.name, new Map([[ticket, asked.to.ticket]]));
  const { node, address, fingerprint } = asked.to;
  const move: Departure = {
    role: "source",
    stage: "sending",
    mode: "cold",
    to: { node, address, fingerprint },
    ticket,
    since: parts.clock.now(),
    paused: false,
    ...(asked.bandwidthMiBps ? { bandwidthMiBps: asked.bandwidthMiBps } : {}),
  };
  const begin: VmRecord = { ...vm, migration: departureState("sending", move), move };
  return {
    before: () => runBeforeHooks(parts, vm, "migrate-send", asked),
    begin,
    run: (signal) => migrateCold(parts, slot, settling, { begin, asked, pace }, signal),
  };
}

/** The rest of one that an agent before this one had begun, and not given. */
export function restOfColdMigrate(
  parts: Parts,
  slot: Slot,
  settling: Settling,
  {
    begin,
    operation,
    pace,
  }: { readonly begin: VmRecord; readonly operation: UnfinishedOperation; readonly pace: ColdPace },
): Act {
  const asked = { id: operation.id, kind: "migrate" } as const;
  return { begin, run: (signal) => migrateCold(parts, slot, settling, { begin, asked, pace }, signal) };
}

/** It is off, and what it has is on its way: an agent that starts goes on with it. */
export const isSendingCold = ({ move }: Pick<VmRecord, "move">): boolean =>
  move?.role === "source" && move.stage === "sending" && move.mode === "cold";

interface Order {
  readonly begin: VmRecord;
  readonly asked: Pick<Migrate, "id" | "kind">;
  readonly pace: ColdPace;
}

async function migrateCold(
  parts: Parts,
  slot: Slot,
  settling: Settling,
  { begin, asked, pace }: Order,
  signal: AbortSignal,
): Promise<Outcome> {
  let files: readonly SentFile[] = [];
  const outcome = await steer(
    parts,
    slot,
    settling,
    begin,
    asked,
    async (other, own) => {
      const sent = await sendCold(parts, slot, begin, { other, patienceMs: pace.coldPatienceMs ?? PATIENCE_MS }, own);
      files = sent.files;
      return { ...sent, atMs: parts.clock.monotonicMs() };
    },
    signal,
  );
  await removeFlattened(coldDisks(parts, begin, begin.ownDisks)).catch(() => {});
  const migration = outcome.detail?.migration;
  if (migration === undefined || files.length === 0) return outcome;
  const checksums = Object.fromEntries(files.map(({ name, checksum }) => [name, checksum]));
  return { ...outcome, detail: { ...outcome.detail, migration: { ...migration, checksums } } };
}

/** Resolves when all of it is there, and both nodes have said the same of it. */
async function sendCold(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  { other, patienceMs }: { readonly other: OtherNode; readonly patienceMs: number },
  signal: AbortSignal,
): Promise<Sent & { readonly files: readonly SentFile[] }> {
  const { bandwidthMiBps = null } = vm.move as Departure;
  const toll = new Toll(bandwidthMiBps, (now) => {
    slot.progress = now;
  });
  let mismatches = 0;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const movedAtMs = toll.movedAtMs;
    try {
      const files = await attempt(parts, slot, vm, { other, toll }, signal);
      return { bytes: toll.sentBytes, downtimeMs: null, files };
    } catch (error) {
      signal.throwIfAborted();
      const isMismatch = isOdoroboError(error, "MIGRATION_FAILED") && ++mismatches < MOST_MISMATCHES;
      if (!isBreak(error) && !isMismatch) throw error;
      if (performance.now() - toll.movedAtMs > patienceMs) throw awayTooLong(vm, patienceMs, error);
      parts.logger.warn(
        { err: error, vm: vm.name },
        "the move of a VM that is off was broken off: it goes on where it was",
      );
      if (toll.movedAtMs > movedAtMs) pauseMs = FIRST_PAUSE_MS;
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

async function attempt(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  { other, toll }: { readonly other: OtherNode; readonly toll: Toll },
  signal: AbortSignal,
): Promise<readonly SentFile[]> {
  const disks = await disksToSend(parts, vm);
  const { phase, endedBy, reason, since, ownDisks } = vm;
  const travelling: TravellingVm = {
    ...(await travellerOf(parts, vm)),
    machine: null,
    disks: await describeDisks(vm, disks),
    cold: {
      phase: phase === "crashed" ? "crashed" : "stopped",
      endedBy,
      reason,
      since,
      origins: Object.fromEntries(disks.map(({ name, origin }) => [name, ownDisks[name] ?? origin])),
    },
  };
  const { flat = [] } = await other.ask(
    "prepare",
    travelling,
    AbortSignal.any([signal, AbortSignal.timeout(PREPARE_MS)]),
  );
  const onTheWay = AbortSignal.any([signal, other.lost()]);
  const whole: ColdDisk[] = [];
  for (const disk of disks) whole.push(flat.includes(disk.name) ? await flattened(parts, vm, disk, signal) : disk);
  const route = {
    state: async (file: DiskFile) => (await other.ask("disk-state", file, onTheWay)).segments,
    open: (channel: string) => other.open(channel, onTheWay),
    signal: onTheWay,
  };
  const files = await sendDisks(whole, { route, toll });
  slot.progress = { ...(slot.progress ?? NOTHING_SENT), stage: "handing-over", remainingBytes: 0 };
  await other.ask("whole", { disks: files }, onTheWay);
  // The last moment at which it can be called off.
  signal.throwIfAborted();
  return files;
}

/** The other node, or the way to it, is gone for now: that says nothing of the VM. */
const isBreak = (error: unknown): boolean =>
  isOdoroboError(error) ? BREAKS.has(error.code) : (error as Error | null)?.name === "TimeoutError";

const BREAKS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "AGENT_UNREACHABLE",
  "AGENT_TIMEOUT",
  "AGENT_PROTOCOL",
  "AGENT_STOPPING",
  "INTERRUPTED",
]);

const awayTooLong = (vm: VmRecord, patienceMs: number, cause: unknown): OdoroboError => {
  const { to } = vm.move as Departure;
  return new OdoroboError("AGENT_UNREACHABLE", `${to.node} was away for ${Math.round(patienceMs / 60_000)} minutes`, {
    cause,
    hint: "it stays where it was; move it again when that node is back",
  });
};
