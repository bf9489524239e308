/**
 * The first half of a move, at the node that the guest is to come to: can it live here? Then room is kept, and its ticket let in.
 *
 * Room is kept by the record: a report shows the VM as `starting` with its spec, so whoever plans counts it. It ends by itself.
 */
import { bootNeeds } from "../../../model/boot/boot-needs.ts";
import { digestOfText } from "../../../model/digest.ts";
import { OdoroboError } from "../../../model/errors.ts";
import { instant } from "../../../model/names.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { OperationRequest } from "../../../wire/operations.ts";
import { freshRecord } from "../../store/fresh-record.ts";
import type { StoredVm, VmRecord } from "../../store/vm-record.ts";
import { lookFor } from "../acts/look-ahead.ts";
import { refuseSecondLife } from "../acts/perform-boot.ts";
import { ownDisksOf } from "../operations/check-spec.ts";
import type { Act } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import type { Arrivals } from "./arrivals.ts";
import { arrivalState } from "./states.ts";

type ExpectGuest = Extract<OperationRequest, { readonly kind: "expect-guest" }>;

/** A plan asks shortly before the guest sets out; a person's second command comes within the same breath. */
const EXPECTED_MS = 600_000;

/** Rejects with UNSUPPORTED, WRONG_PHASE, IMAGE_MISSING, HYPERVISOR_UNAVAILABLE or BAD_REQUEST. */
export async function prepareExpect(parts: Parts, slot: Slot, arrivals: Arrivals, request: ExpectGuest): Promise<Act> {
  const { spec, from } = request;
  if (from === parts.node.name)
    throw new OdoroboError("BAD_REQUEST", `${slot.name} cannot come to ${from} from ${from}`, {
      hint: "name the node that has it",
    });
  refuseSecondLife(parts, slot);
  await checkCanLive(parts, slot, spec, request.mode === "cold");
  const stored = slot.stored?.state === "unreadable" ? null : slot.stored;
  const isRenewal = stored?.state === "present" && stored.move?.role === "destination";
  const before = isRenewal ? (stored.move?.role === "destination" ? stored.move.before : null) : stored;
  refuseKeptDisks(before, spec);
  const expiresAt = instant(new Date(Date.parse(parts.clock.now()) + EXPECTED_MS).toISOString());
  const since = parts.clock.now();
  const move = {
    role: "destination",
    stage: "expected",
    from,
    ticket: digestOfText(request.ticket),
    since,
    expiresAt,
    before,
  } as const;
  const record: VmRecord = {
    ...expectedRecord(parts, slot, stored, request),
    migration: arrivalState(move.stage, from, since),
    move,
  };
  return {
    begin: null,
    run: async () => {
      arrivals.watchExpiry(slot);
      return { stored: record, error: null, detail: { expiresAt } };
    },
  };
}

/** Rejects with what is missing. What only the guest can bring, its texts, is looked at when it comes. */
async function checkCanLive(parts: Parts, slot: Slot, spec: VmSpec, isCold: boolean): Promise<void> {
  await parts.reports.require(spec.hypervisor);
  const hypervisor = parts.hypervisors.get(spec.hypervisor);
  if (hypervisor?.admit === undefined && !isCold)
    throw new OdoroboError("UNSUPPORTED", `${spec.hypervisor} here cannot take in a guest that two agents move`, {
      hint: "it can come switched off: odorobo vm migrate --mode cold",
    });
  if (hypervisor?.disks !== "real") return;
  for (const { question, what } of bootNeeds(spec)) {
    // What is below its disks comes with them where it is not here.
    if (question.kind === "fetch") continue;
    const answer = await lookFor(parts, question, parts.stopping);
    if (answer === null || answer.found) continue;
    throw new OdoroboError(
      question.kind === "bridge" || question.kind === "network" ? "UNSUPPORTED" : "IMAGE_MISSING",
      `${slot.name} needs ${what}, and ${answer.problem} on ${parts.node.name}`,
      { hint: "a guest that moves finds everything at the same place on both nodes: put it there first" },
    );
  }
}

/** Bytes that are kept for somebody else's sake are not written over. Those of a guest that left are old, and come anew. */
function refuseKeptDisks(before: StoredVm | null, spec: VmSpec): void {
  if (before?.state !== "tombstone") return;
  const kept = before.disks.filter((name) => Object.hasOwn(ownDisksOf(spec.disks), name));
  if (kept.length === 0) return;
  throw new OdoroboError(
    "WRONG_PHASE",
    `${before.name} was deleted here and its disks are kept until ${before.retainUntil}: ${kept.join(", ")}`,
    { hint: `if nobody wants them back: odorobo vm purge ${before.name}` },
  );
}

function expectedRecord(parts: Parts, slot: Slot, stored: StoredVm | null, request: ExpectGuest): VmRecord {
  const { fleet = null, generation, spec, from } = request;
  return {
    ...freshRecord(slot.name, { fleet, commit: null, generation, spec }, parts.clock.now()),
    ...(stored === null ? {} : { serial: stored.serial, completed: stored.completed }),
    reason: `it is expected from ${from}`,
    restart: null,
  };
}
