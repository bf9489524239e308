/**
 * What a move leaves at its source, and how that goes (ADR 34): a record that says so, and the disks as they were.
 *
 *   settle.ts notes it → (the VM's `retain.moved`) → [left-behind.ts] asks the node that took it → nothing is left
 *
 * Invariants: nothing is removed before that node, with the data folder that took the VM in, has said that it has it whole, or has seen it go
 * since. Disks that did not go along are not in it: they are kept as those of a deleted VM are.
 */
import { rm, stat } from "node:fs/promises";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { removeRunFolder } from "../../leftovers.ts";
import type { Departure, LeftBehind, TombstoneRecord, VmRecord } from "../../store/vm-record.ts";
import { bury, preparePurge } from "../acts/perform-stop.ts";
import { runOperation, save } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { coldDisks } from "./cold/disk-files.ts";
import { OtherNode } from "./other-node.ts";

const CONFIRM_MS = 5_000;

/** `keeper`: the id of the data folder that took it in; null: its agent does not say. */
export async function noteLeft(
  parts: Parts,
  vm: VmRecord,
  { to, ticket, mode }: Departure,
  keeper: string | null,
): Promise<LeftBehind> {
  const went = new Set(((mode === "cold" ? null : vm.guest?.bootedSpec) ?? vm.spec).disks.map(({ name }) => name));
  const disks = Object.keys(vm.ownDisks).filter((name) => went.has(name));
  const sizes = await Promise.all(coldDisks(parts, vm, vm.ownDisks).map(({ path }) => bytesOf(path)));
  const bytes = sizes.reduce((sum, each) => sum + each, 0);
  return { to, ticket, since: parts.clock.now(), keeper, disks: disks.sort(), bytes };
}

/** Of its disk, holes left out. */
const bytesOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  );

/** At the node that took it in: whether what its source keeps is of no use to anybody any more. Asked by the source, with the ticket of the move. */
export async function isHeld(parts: Parts, slot: Slot | null): Promise<boolean> {
  const stored = slot?.stored ?? null;
  // It was taken in here, and is gone since: by whoever deleted it.
  if (stored === null) return true;
  if (stored.state === "unreadable") return false;
  if (stored.state === "tombstone" || stored.migration?.stage === "left") return true;
  if (stored.migration) return false;
  const files = coldDisks(parts, stored, stored.ownDisks);
  const isReal = parts.hypervisors.get(stored.spec.hypervisor)?.disks === "real";
  if (!isReal) return true;
  const there = await Promise.all(
    files.map(({ path }) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return there.every(Boolean);
}

/** In the VM's queue. Nothing happens where the other node does not say that it may. */
export async function releaseLeft(parts: Parts, slot: Slot): Promise<void> {
  const vm = slot.stored;
  if (parts.stopping.aborted || vm?.state !== "present" || vm.left === undefined || vm.unfinished !== null) return;
  if (vm.migration?.stage !== "left" || !(await isConfirmed(parts, slot, vm.left))) return;
  const { disks, to } = vm.left;
  await removeRunFolder(vm.name, parts.store.paths(vm.name).runFolder);
  const gone = new Set(disks);
  const rest = Object.fromEntries(Object.entries(vm.ownDisks).filter(([name]) => !gone.has(name)));
  const buried = await bury(parts, { ...vm, ownDisks: rest });
  const message = `${vm.name} is whole on ${to.node}: what it left here is removed`;
  parts.events.emit({ kind: "phase", vm: vm.name, message });
  parts.logger.info({ vm: vm.name, node: to.node }, message);
  const setAside = (await parts.storage.list(parts.store.paths(vm.name))).some((file) => file.includes(".kept"));
  if (Object.keys(rest).length > 0 || setAside) return keepRest(parts, slot, vm, buried);
  const operation = { id: `release-of-${vm.name}-${vm.serial}`, kind: "purge", graceSeconds: null } as const;
  await runOperation(parts, slot, operation, preparePurge(parts, buried));
}

/** The tombstone first: should the agent end in between, what did not go yet goes with it. */
async function keepRest(parts: Parts, slot: Slot, vm: VmRecord, buried: TombstoneRecord): Promise<void> {
  await save(parts, slot, { ...buried, serial: vm.serial + 1 }, { fromReserve: true });
  slot.buriedAtMs = parts.clock.monotonicMs();
  const travelled = Object.fromEntries(Object.entries(vm.ownDisks).filter(([name]) => !(name in buried.ownDisks)));
  for (const { path } of coldDisks(parts, vm, travelled)) await rm(path, { force: true });
}

async function isConfirmed(parts: Parts, slot: Slot, left: LeftBehind): Promise<boolean> {
  if (left.keeper === null) return false;
  try {
    using other = await OtherNode.of(parts, slot, left);
    const signal = AbortSignal.any([parts.stopping, AbortSignal.timeout(CONFIRM_MS)]);
    const { id, isHeld: held } = await other.ask("confirm", {}, signal);
    if (id !== left.keeper)
      throw new OdoroboError(
        "AGENT_WRONG_NODE",
        `${left.to.node} has another data folder than the one that took it in`,
      );
    return held;
  } catch (error) {
    parts.stopping.throwIfAborted();
    // Asked again at the next sweep; what nobody can say is told by the report, which shows it as kept.
    if (isOdoroboError(error, "AGENT_WRONG_NODE"))
      parts.logger.warn({ err: error, vm: slot.name }, "what a VM left here is kept");
    return false;
  }
}
