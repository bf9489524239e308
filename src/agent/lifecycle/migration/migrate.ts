/**
 * The second half of a move, at the node that has the guest. This agent steers it to the end: whoever asked for it may go away.
 *
 *   sending ──(all of it is there, stands still on both sides)──► given ──take──► left
 *      │                                                            │
 *      └─ it runs on here ◄── anything goes wrong, or is called off │
 *                                         ▲                         │
 *                                         └─ refused, for good ─────┘
 *
 * Invariants: each state is on disk before what follows from it is done. In `sending` the other node never lets the guest run; in `given` this one
 * never does. What neither can know, because the other does not answer, stays `given`, and the agent goes on asking (settle.ts).
 */
import { digestOfText } from "../../../model/digest.ts";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { referencedFiles } from "../../../model/vm-spec.ts";
import { parseAgentAddress } from "../../../wire/agent-address.ts";
import type { TravellingVm } from "../../../wire/move-line.ts";
import type { OperationRequest } from "../../../wire/operations.ts";
import type { Passage, Sent } from "../../hypervisor/hypervisor.ts";
import type { Departure, VmRecord } from "../../store/vm-record.ts";
import { abilityOf, runningGuest } from "../acts/call-hypervisor.ts";
import { runBeforeHooks, withAfterHooks } from "../operations/hook-points.ts";
import { type Act, type Outcome, save } from "../operations/run-operation.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { OtherNode } from "./other-node.ts";
import { outcomeOf, type Settling, sayFarewell, settleWithin } from "./settling.ts";
import { departureState } from "./states.ts";
import { travellingDisks } from "./travelling-disks.ts";

type Migrate = Extract<OperationRequest, { readonly kind: "migrate" }>;

/** What the hypervisor is given beyond the spec's own timeout: it ends a move that takes too long itself, and says why. */
const SLACK_MS = 60_000;
const PREPARE_MS = 120_000;

/** Rejects with UNSUPPORTED, WRONG_PHASE or BAD_REQUEST. */
export async function prepareMigrate(
  parts: Parts,
  slot: Slot,
  settling: Settling,
  vm: VmRecord,
  asked: Migrate,
): Promise<Act> {
  checkTarget(parts, vm, asked);
  const guest = runningGuest(slot);
  if (guest.connection !== null) abilityOf(guest, guest.connection.abilities.depart, CAN, HINT);
  checkMovable(vm, guest);
  const ticket = digestOfText(asked.to.ticket);
  await parts.store.saveTexts(vm.name, new Map([[ticket, asked.to.ticket]]));
  const { node, address, fingerprint } = asked.to;
  const move: Departure = {
    role: "source",
    stage: "sending",
    to: { node, address, fingerprint },
    ticket,
    since: parts.clock.now(),
    paused: vm.phase === "paused",
  };
  const begin: VmRecord = { ...vm, migration: departureState("sending", move), move };
  return {
    before: () => runBeforeHooks(parts, vm, "migrate-send", asked),
    begin,
    run: (signal) =>
      steer(
        parts,
        slot,
        settling,
        begin,
        asked,
        (other, own) => send(parts, slot, guest, begin, asked, other, own),
        signal,
      ),
  };
}

/** Throws BAD_REQUEST or UNSUPPORTED. */
export function checkTarget(parts: Parts, { name, spec }: VmRecord, { to }: Migrate): void {
  if (to.node === parts.node.name)
    throw new OdoroboError("BAD_REQUEST", `${name} is on ${to.node} already`, { hint: "name another node" });
  let isTls: boolean;
  try {
    ({ isTls } = parseAgentAddress(to.address));
  } catch (error) {
    throw new OdoroboError("BAD_REQUEST", "the address of the other node's agent is none", { cause: error });
  }
  if (isTls && to.fingerprint === null)
    throw new OdoroboError("BAD_REQUEST", `the certificate of ${to.node} is not known: its fingerprint is missing`, {
      hint: "give what expect-guest answered",
    });
  if (spec.migration.mode === "never")
    throw new OdoroboError("UNSUPPORTED", `${name} is never to be moved: its manifest says migration.mode: never`, {
      hint: "change that in its manifest first",
    });
}

function checkMovable(vm: VmRecord, guest: Guest): void {
  if (vm.stalled)
    throw new OdoroboError("WRONG_PHASE", `${vm.name} stands still because a disk of its could not be written`, {
      hint: "make room first: then it goes on by itself",
    });
  const movable = guest.connection?.movable?.();
  if (movable?.live === false)
    throw new OdoroboError("UNSUPPORTED", `${vm.name} cannot be moved while it runs: ${movable.why}`, {
      hint: "it can be moved switched off: odorobo vm migrate --mode cold",
    });
}

/** What is sent while it can still be called off; resolves when all of it is there, whole. */
export type Send = (other: OtherNode, signal: AbortSignal) => Promise<Sent & { readonly atMs: number }>;

/** From `sending` to where the guest is then: of whatever is sent, by whatever means. `asked`: for the hooks. */
export async function steer(
  parts: Parts,
  slot: Slot,
  settling: Settling,
  begun: VmRecord,
  asked: Pick<Migrate, "id" | "kind">,
  send: Send,
  signal: AbortSignal,
): Promise<Outcome> {
  const from = parts.clock.monotonicMs();
  slot.progress = NOTHING_SENT;
  try {
    let failure: OdoroboError | null = null;
    let sentAt = from;
    using other = await OtherNode.of(parts, slot, begun.move as Departure);
    try {
      const sent = await send(other, AbortSignal.any([signal, slot.departures.signal()]));
      sentAt = sent.atMs;
      await give(parts, slot, begun, sent);
    } catch (error) {
      if (signal.aborted) throw error;
      failure = whyNot(begun, error);
    }
    slot.progress = { ...(slot.progress ?? NOTHING_SENT), stage: "settling" };
    const settled = await settleWithin(parts, slot, other, settling.withinMs, signal);
    const now = parts.clock.monotonicMs();
    const outcome = outcomeOf(parts, slot, settled, failure, { tookMs: now - from, heldMs: now - sentAt });
    if (settled === null || settled.stored.calledOff !== undefined) settling.watch(slot);
    if (settled?.home === "there") sayFarewell(parts, slot, settled.move);
    return settled?.home === "there" ? withAfterHooks(parts, slot, "migrate-send", asked, outcome) : outcome;
  } finally {
    slot.progress = null;
  }
}

/** All of it goes to the other node. Resolves when it is there, whole, and stands still on both sides. */
async function send(
  parts: Parts,
  slot: Slot,
  guest: Guest,
  vm: VmRecord,
  asked: Migrate,
  other: OtherNode,
  signal: AbortSignal,
): Promise<Sent & { readonly atMs: number }> {
  const machine = await guest.askOnce(PREPARE_MS, signal, (connection, own) =>
    abilityOf(guest, connection.abilities.depart, CAN).describe(own),
  );
  const disks = travellingDisks(parts, slot, vm);
  const travelling: TravellingVm = { ...(await travellerOf(parts, vm)), machine, paused: vm.phase === "paused", disks };
  const { shallow } = await other.ask(
    "prepare",
    travelling,
    AbortSignal.any([signal, AbortSignal.timeout(PREPARE_MS)]),
  );
  // Whoever is gone over there does not come back to a guest that is half there.
  const onTheWay = AbortSignal.any([signal, other.lost()]);
  const passage: Passage = {
    disks: disks.map(({ name }) => ({ name, shallow: shallow.includes(name) })),
    downtimeMs: vm.spec.migration.downtimeMs,
    timeoutMs: vm.spec.migration.timeoutSeconds * 1000,
    bandwidthMiBps: asked.bandwidthMiBps ?? null,
    open: (channel) => other.open(channel, onTheWay),
    disksDone: async () => void (await other.ask("disks-done", {}, onTheWay)),
    freeze: (own) => freezeUnlessCalledOff(parts, guest, own),
    progress(now) {
      slot.progress = now;
    },
  };
  const patience = vm.spec.migration.timeoutSeconds * 1000 + SLACK_MS;
  const sent = await guest.askOnce(disks.length > 0 ? DISKS_MS : patience, onTheWay, (connection, own) =>
    abilityOf(guest, connection.abilities.depart, CAN).send(passage, own),
  );
  const atMs = parts.clock.monotonicMs();
  slot.progress = { ...(slot.progress ?? NOTHING_SENT), stage: "handing-over", remainingBytes: 0 };
  await other.ask("whole", {}, AbortSignal.any([onTheWay, AbortSignal.timeout(WHOLE_MS)]));
  // The last moment at which it can be called off.
  signal.throwIfAborted();
  return { ...sent, atMs };
}

/** All that makes it this VM, but for what only its hypervisor and its disks can tell. */
export async function travellerOf(parts: Parts, vm: VmRecord): Promise<Omit<TravellingVm, "machine" | "disks">> {
  return {
    fleet: vm.fleet,
    generation: vm.generation,
    serial: vm.serial,
    commit: vm.commit,
    spec: vm.spec,
    appliedAt: vm.appliedAt,
    bootedSpec: vm.guest?.bootedSpec ?? vm.spec,
    ...(vm.uuid === undefined ? {} : { uuid: vm.uuid }),
    ...(vm.instanceId === undefined ? {} : { instanceId: vm.instanceId }),
    files: await textsOf(parts, vm),
    paused: false,
    ready: vm.ready,
    ...(vm.readySince === undefined ? {} : { readySince: vm.readySince }),
    owed: vm.owed ?? [],
  };
}

/** Who called it off has perhaps let it run on already, and will not come back to do so again. */
async function freezeUnlessCalledOff({ supervisor }: Parts, { process }: Guest, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (process === null) return;
  await supervisor.freeze(process);
  if (!signal.aborted) return;
  await supervisor.thaw(process);
  throw signal.reason;
}

const CAN = "be moved while they run, by their agents";
const HINT = "it can be moved switched off: odorobo vm migrate --mode cold";
export const NOTHING_SENT = {
  stage: "preparing",
  sentBytes: 0,
  remainingBytes: null,
  bytesPerSecond: null,
  dirtyBytesPerSecond: null,
} as const;
/** Disks take as long as they take: who stands still is noticed by its hypervisor. A month is what timers bear. */
const DISKS_MS = 24 * 24 * 3_600_000;
/** Nothing is left to send: what is under way arrives, or never will. */
const WHOLE_MS = 20_000;

const textsOf = async (parts: Parts, vm: VmRecord): Promise<TravellingVm["files"]> => {
  const digests = [...new Set([vm.spec, vm.guest?.bootedSpec ?? vm.spec].flatMap(referencedFiles))];
  return Object.fromEntries(await parts.store.readTexts(vm.name, digests));
};

/** From here on it is not ours, until the other node says otherwise. Rejects when that cannot be written down: then it is ours. */
async function give(parts: Parts, slot: Slot, begun: VmRecord, sent: Sent): Promise<void> {
  const now = slot.stored?.state === "present" ? slot.stored : begun;
  const move: Departure = {
    ...(begun.move as Departure),
    stage: "given",
    sentBytes: sent.bytes,
    downtimeMs: sent.downtimeMs,
  };
  await save(
    parts,
    slot,
    {
      ...now,
      // One that is off stays as it is: nobody needs to be told why it stands still.
      ...(move.mode === "cold" ? {} : { phase: "paused" as const }),
      reason: `it was given to ${move.to.node}, which has not said what became of it`,
      migration: departureState("given", move),
      move,
    },
    { fromReserve: true },
  );
}

/** A refusal keeps its code: it says what is to be mended. */
function whyNot(vm: VmRecord, thrown: unknown): OdoroboError {
  const { to } = vm.move as Departure;
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const isRefusal = isOdoroboError(thrown) && REFUSALS.has(thrown.code);
  return new OdoroboError(
    isRefusal ? (thrown as OdoroboError).code : "MIGRATION_FAILED",
    `${vm.name} was not moved to ${to.node}: ${why}`,
    { cause: thrown, hint: (isOdoroboError(thrown) ? thrown.hint : undefined) ?? "it stays where it was: try again" },
  );
}

const REFUSALS: ReadonlySet<string> = new Set([
  "UNSUPPORTED",
  "IMAGE_MISSING",
  "IMAGE_CHANGED",
  "DISK_IN_USE",
  "INSUFFICIENT_STORAGE",
  "STALE_GENERATION",
  "HOOK_FAILED",
  "UNAUTHORIZED",
  "AGENT_UNREACHABLE",
  "GUEST_UNEXPLAINED",
]);
