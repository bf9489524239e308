/**
 * One VM of an agent in memory: the agent's own record, and the running guest's configuration. What is allowed is decided by the
 * agent's own `decide`; what follows from an act is written down here, without disks or processes.
 */

import { digestOf } from "../../model/digest.ts";
import { compareLive, toLiveConfig } from "../../model/fields.ts";
import { type Instant, instant, type VmName } from "../../model/names.ts";
import type { LiveConfig, Tombstone, VmReport } from "../../model/observed-state.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { PutVmRequest } from "../../wire/operations.ts";
import { updateLive } from "../hypervisor/noop/update-live.ts";
import type { Request } from "../lifecycle/parts/decision.ts";
import { freshRecord } from "../store/fresh-record.ts";
import type { CompletedOperation, StoredVm, TombstoneRecord, VmRecord } from "../store/vm-record.ts";

export interface RehearsedVm {
  readonly record: StoredVm;
  /** Null while no guest runs. */
  readonly live: LiveConfig | null;
}

const HEAD = { format: 1, ownDisks: {}, unfinished: null, completed: [] } as const;

export function fromReport(report: VmReport): RehearsedVm {
  const { name, fleet, generation, serial, commit, spec, specDigest, appliedAt, endedBy, reason, ready, since } =
    report;
  const phase = report.phase === "starting" || report.phase === "stopping" ? "running" : report.phase;
  const record: VmRecord = {
    ...HEAD,
    ...{ name, fleet, generation, serial, commit, spec, specDigest, appliedAt, endedBy, reason, ready, since },
    state: "present",
    phase,
    drift: [],
    guest: null,
  };
  return { record, live: report.live };
}

export function fromTombstone(tombstone: Tombstone): RehearsedVm {
  return { record: { ...HEAD, ...tombstone, state: "tombstone" }, live: null };
}

export function toVmReport(
  { record, live }: RehearsedVm,
  busy: "starting" | "stopping" | null = null,
): VmReport | null {
  if (record.state === "tombstone") return null;
  const { name, fleet, generation, serial, commit, spec, specDigest, appliedAt, endedBy, reason, ready, since } =
    record;
  const drift = live === null ? [] : compareLive(live, spec);
  return {
    ...{ name, fleet, generation, serial, commit, spec, specDigest, appliedAt, endedBy, reason, ready, since },
    phase: busy ?? record.phase,
    live,
    drift: drift.map(({ path, from, to }) => ({ path, applied: to, live: from })),
    pid: null,
  };
}

export function toTombstone({ record }: RehearsedVm): Tombstone | null {
  if (record.state === "present") return null;
  const { name, fleet, generation, serial, deletedAt, retainUntil, disks } = record;
  return { name, fleet, generation, serial, deletedAt, retainUntil, disks };
}

/** The VM after an act that `decide` has allowed; null: nothing is left of it. */
export function carryOut(name: VmName, request: Request, vm: RehearsedVm | null, now: Instant): RehearsedVm | null {
  if (request.kind === "put") return put(name, request, vm, now);
  if (vm?.record.state !== "present") return null;
  const { record } = vm;
  switch (request.kind) {
    case "boot":
    case "reboot":
      return {
        record: raised(record, { phase: "running", endedBy: null, since: now }),
        live: toLiveConfig(record.spec),
      };
    case "shutdown":
      return { record: raised(record, { phase: "stopped", endedBy: "operator", since: now }), live: null };
    case "pause":
      return { ...vm, record: raised(record, { phase: "paused", since: now }) };
    case "resume":
      return { ...vm, record: raised(record, { phase: "running", since: now }) };
    case "delete":
      return { record: toTombstoneRecord(record, now), live: null };
    case "purge":
      return null;
    default:
      // Nothing that its record shows.
      return { ...vm, record: raised(record, {}) };
  }
}

/** Something happened to it that nobody asked this agent for. */
export const happened = (vm: RehearsedVm, changes: Partial<VmRecord>, live: LiveConfig | null): RehearsedVm => {
  if (vm.record.state !== "present") throw new Error(`${vm.record.name} is deleted, nothing can happen to it`);
  return { record: raised(vm.record, changes), live };
};

/** Every operation that ended is remembered by its id; one that failed raises the serial too. */
export function remember(vm: RehearsedVm, operation: CompletedOperation): RehearsedVm {
  const serial = operation.error === null ? vm.record.serial : vm.record.serial + 1;
  return { ...vm, record: { ...vm.record, serial, completed: [...vm.record.completed, operation] } };
}

const raised = (record: VmRecord, changes: Partial<VmRecord>): VmRecord => ({
  ...record,
  reason: null,
  ...changes,
  serial: record.serial + 1,
});

function put(name: VmName, request: PutVmRequest, vm: RehearsedVm | null, now: Instant): RehearsedVm {
  const { fleet, commit, generation, spec } = request;
  const applied = { fleet, commit, generation, spec, specDigest: digestOf(spec), appliedAt: now };
  if (vm?.record.state === "present") {
    return { record: raised(vm.record, applied), live: vm.live && updateLive(vm.live, spec) };
  }
  const { completed, serial } = vm?.record ?? { completed: [], serial: 0 };
  return { record: { ...freshRecord(name, request, now), completed, serial: serial + 1 }, live: null };
}

function toTombstoneRecord(record: VmRecord, now: Instant): TombstoneRecord {
  const { name, fleet, generation, serial, completed } = record;
  const retainUntil = instant(new Date(Date.parse(now) + record.spec.retainDisksSeconds * 1000).toISOString());
  const head = { ...HEAD, name, fleet, generation, serial: serial + 1, completed, state: "tombstone" } as const;
  return { ...head, deletedAt: now, retainUntil, disks: keptDisks(record.spec) };
}

const keptDisks = (spec: VmSpec): string[] =>
  spec.disks.filter((disk) => disk.origin.kind !== "external").map((disk) => disk.name);
