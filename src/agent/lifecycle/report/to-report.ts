/** What the agent knows of a VM, in the words of the wire. Pure. */

import { byName } from "../../../model/names.ts";
import type {
  JournalEntry,
  OwedChange,
  Phase,
  RestartState,
  Tombstone,
  VmReport,
} from "../../../model/observed-state.ts";
import type { OperationKind } from "../../../wire/operations.ts";
import type { StoredVm, TombstoneRecord, VmRecord } from "../../store/vm-record.ts";
import { keptUntil } from "../parts/kept-until.ts";
import { stillOwed } from "../parts/owed.ts";
import type { Slot } from "../parts/slot.ts";
import { foundAt } from "./found-at.ts";

export function toVmReport(slot: Slot, vm: VmRecord): VmReport {
  return {
    name: vm.name,
    fleet: vm.fleet,
    generation: vm.generation,
    serial: vm.serial,
    phase: passingPhase(slot.activity?.kind, vm.phase) ?? (isAwaited(vm) ? "starting" : vm.phase),
    endedBy: vm.endedBy,
    reason: slot.silence ?? vm.reason,
    ready: vm.ready,
    ...(vm.ready === true && vm.readySince !== undefined ? { readySince: vm.readySince } : {}),
    since: vm.since,
    spec: vm.spec,
    specDigest: vm.specDigest,
    commit: vm.commit,
    appliedAt: vm.appliedAt,
    live: slot.live,
    drift: vm.drift,
    ...owedOf(slot, vm),
    pid: vm.guest?.process?.pid ?? null,
    ...(vm.lastEvent ? { lastEvent: vm.lastEvent } : {}),
    ...(vm.restart ? { restart: toRestartState(vm.restart) } : {}),
    ...(slot.changeRules === null ? {} : { changeRules: slot.changeRules }),
    ...(vm.migration ? { migration: vm.migration } : {}),
    ...(vm.left === undefined ? {} : { left: { bytes: vm.left.bytes, until: keptUntil(vm.spec, vm.left.since) } }),
    ...(slot.movable === null ? {} : { movable: slot.movable }),
    ...(vm.stalled && vm.phase === "paused" ? { stalled: vm.stalled } : {}),
    ...foundAt(vm, slot),
    disks: Object.keys(vm.ownDisks).sort(byName),
    ...(slot.images.length === 0 ? {} : { images: slot.images }),
  };
}

function owedOf({ held }: Slot, { owed = [], drift }: VmRecord): Pick<VmReport, "owed"> {
  if (held.length === 0 && owed.length === 0) return {};
  const changes: OwedChange[] = [
    ...held.map((each) => ({ ...each, held: true })),
    ...stillOwed(drift, owed)
      .filter(({ path }) => !held.some((each) => each.path === path))
      .map((each) => ({ ...each, held: false })),
  ];
  return changes.length === 0 ? {} : { owed: changes.sort((a, b) => byName(a.path, b.path)) };
}

/** Its process waits for the guest. */
const isAwaited = (vm: VmRecord): boolean => vm.migration?.role === "destination";

const toRestartState = ({ attempts, nextAt, givenUp }: RestartState): RestartState => ({ attempts, nextAt, givenUp });

/** What an operation under way makes of a phase. */
function passingPhase(kind: OperationKind | undefined, phase: VmRecord["phase"]): Phase | null {
  switch (kind) {
    case "boot":
    case "restore":
    case "migrate-receive":
      return "starting";
    case "shutdown":
      return "stopping";
    case "delete":
      return phase === "running" || phase === "paused" ? "stopping" : null;
    case "reboot":
      return phase === "running" || phase === "paused" ? "stopping" : "starting";
    default:
      return null;
  }
}

export const toTombstone = (record: TombstoneRecord): Tombstone => ({
  name: record.name,
  fleet: record.fleet,
  generation: record.generation,
  serial: record.serial,
  deletedAt: record.deletedAt,
  retainUntil: record.retainUntil,
  disks: record.disks,
});

export const toJournalEntry = (stored: StoredVm): JournalEntry | null =>
  stored.unfinished === null
    ? null
    : {
        id: stored.unfinished.id,
        vm: stored.name,
        kind: stored.unfinished.kind,
        begunAt: stored.unfinished.begunAt,
        ...(stored.unfinished.run === undefined ? {} : { run: stored.unfinished.run }),
      };
