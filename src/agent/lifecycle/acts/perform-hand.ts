/** What people do to a running guest at its hypervisor and that changes nothing of the VM: button, interrupt, dump, snapshot. */
import { chmod, lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import { makeFolders } from "../../../platform/make-folders.ts";
import type { OperationRequest } from "../../../wire/operations.ts";
import { confinePath } from "../../confine-path.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { letAtFolder } from "../guest/let-at.ts";
import { type Act, keep } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { abilityOf, runningGuest } from "./call-hypervisor.ts";

const ASK_DEADLINE_MS = 10_000;
/** A terabyte of guest memory on a disk that takes 500 MB in a second. */
const DUMP_DEADLINE_MS = 3_600_000;

type Asked<Kind extends OperationRequest["kind"]> = Extract<OperationRequest, { readonly kind: Kind }>;

/** Presses, and does not wait. Should the guest power off now, it was an operator who ended it. */
export function preparePowerButton(parts: Parts, slot: Slot, vm: VmRecord): Act {
  const guest = runningGuest(slot);
  const pressed: VmRecord = { ...vm, guest: vm.guest && { ...vm.guest, handled: vm.guest.handled ?? "power-button" } };
  return {
    begin: pressed,
    async run(signal) {
      try {
        await guest.ask(ASK_DEADLINE_MS, signal, (connection, own) => connection.powerButton(own));
      } catch (error) {
        // It was not heard of: what the guest does now is its own doing.
        await keep(parts, slot, { ...vm, unfinished: unfinishedOf(slot) });
        throw error;
      }
      return { stored: pressed, error: null };
    },
  };
}

export function prepareNmi(slot: Slot, vm: VmRecord): Act {
  const guest = runningGuest(slot);
  return {
    begin: vm,
    async run(signal) {
      await guest.askOnce(ASK_DEADLINE_MS, signal, (connection, own) =>
        abilityOf(guest, connection.abilities.nmi, "be interrupted")(own),
      );
      return { stored: vm, error: null };
    },
  };
}

/** Rejects with PATH_NOT_ALLOWED, or BAD_REQUEST when there is something already. */
export async function prepareCoredump(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  { file }: Asked<"coredump">,
): Promise<Act> {
  const guest = runningGuest(slot);
  const path = await confinePath(file, parts.allowedRoots);
  if (await isThere(path)) throw taken(`${path} is there already`, "name a file that is not: nothing is overwritten");
  if (!(await isThere(dirname(path))))
    throw taken(`${dirname(path)} is not there`, "make the folder on the node first");
  return {
    begin: vm,
    async run(signal) {
      // In a folder of its own, which the process can be let at without the dumps of others.
      const staging = `${path}.part`;
      await mkdir(staging, { mode: 0o700 });
      try {
        await letAtFolder(parts, slot, vm, staging);
        await guest.askOnce(DUMP_DEADLINE_MS, signal, (connection, own) =>
          abilityOf(guest, connection.abilities.coredump, "be dumped")(join(staging, basename(path)), own),
        );
        await rename(join(staging, basename(path)), path);
      } finally {
        await rm(staging, { recursive: true, force: true });
      }
      return { stored: vm, error: null };
    },
  };
}

/** Rejects with PATH_NOT_ALLOWED, or BAD_REQUEST when the folder is not empty. One that is not there is made. */
export async function prepareSnapshot(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  { folder }: Asked<"snapshot">,
): Promise<Act> {
  const guest = runningGuest(slot);
  const path = await confinePath(folder, parts.allowedRoots);
  const before = await contentsOf(path);
  if (before !== null && before.length > 0)
    throw taken(`${path} is not empty`, "name an empty folder, or one that is not there: nothing is overwritten");
  return {
    begin: vm,
    async run(signal) {
      const made = await makeFolder(path);
      try {
        await letAtFolder(parts, slot, vm, path);
        await guest.askOnce(DUMP_DEADLINE_MS, signal, (connection, own) =>
          abilityOf(guest, connection.abilities.snapshot, "have their state written down")(path, own),
        );
      } catch (error) {
        // Half a snapshot is none. A folder that was there before is its owner's, with what is in it now.
        if (made !== null) await unmakeFolder(path, made).catch(() => {});
        throw error;
      }
      return { stored: vm, error: null };
    },
  };
}

/** Returns the topmost folder that was made, null: none. The guest's process may be another user's: folders that are made on the way let it pass, and show it nothing. */
async function makeFolder(path: string): Promise<string | null> {
  const made = await makeFolders(path);
  if (made === undefined) return null;
  for (let at = dirname(path); at.startsWith(made); at = dirname(at)) await chmod(at, 0o711);
  return made;
}

/** Folders on the way go as far as nobody else has come to use them. */
async function unmakeFolder(path: string, made: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  for (let at = dirname(path); at.startsWith(made); at = dirname(at)) await rmdir(at);
}

/** The real path of a snapshot to start from. Rejects with PATH_NOT_ALLOWED, or BAD_REQUEST when there is none. */
export async function snapshotAt(parts: Parts, { folder }: Asked<"restore">): Promise<string> {
  const path = await confinePath(folder, parts.allowedRoots);
  const contents = await contentsOf(path);
  if (contents !== null && contents.length > 0) return path;
  throw taken(`there is no snapshot in ${path}`, "odorobo vm snapshot NAME FOLDER writes one");
}

/** Null: not there. */
async function contentsOf(folder: string): Promise<readonly string[] | null> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    if (isErrno(error, "ENOTDIR")) throw taken(`${folder} is not a folder`, "name a folder");
    throw error;
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

const taken = (message: string, hint: string): OdoroboError => new OdoroboError("BAD_REQUEST", message, { hint });

const unfinishedOf = ({ stored }: Slot) => (stored?.state === "present" ? stored.unfinished : null);
