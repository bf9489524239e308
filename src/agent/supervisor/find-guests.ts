/**
 * Asks the host which guests run below a run folder, whatever any record says: processes and units by their working folder,
 * and sockets that answer where no process can be seen (another user's, another container's).
 */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno } from "../../model/errors.ts";
import { isDnsLabel, type VmName, vmName } from "../../model/names.ts";
import { answeringSocket } from "../leftovers.ts";
import type { ProcessHandle, Supervisor } from "./supervisor.ts";

export interface FoundGuest {
  readonly name: VmName;
  /** Null: only a socket tells of it. */
  readonly process: ProcessHandle | null;
  /** Where its process writes: that names the data folder that it belongs to. */
  readonly outputFile: string | null;
  /** For people: `process 4711`, `process 4711 (odorobo-ch@web-1.service)`, `whoever answers on /run/…/qmp.sock`. */
  readonly who: string;
}

/** `runFolder`: an agent's. By name. Rejects only where the folder is there and cannot be read. */
export async function findGuests(supervisor: Supervisor, runFolder: string): Promise<ReadonlyMap<VmName, FoundGuest>> {
  const root = join(runFolder, "vms");
  const found = new Map<VmName, FoundGuest>();
  for (const { workingFolder, outputFile, process } of await supervisor.below(root)) {
    const name = basename(workingFolder);
    if (dirname(workingFolder) !== root || !isDnsLabel(name)) continue;
    const unit = process.unit === undefined ? "" : ` (${process.unit})`;
    found.set(vmName(name), { name: vmName(name), process, outputFile, who: `process ${process.pid}${unit}` });
  }
  for (const name of await foldersIn(root)) {
    if (!isDnsLabel(name) || found.has(vmName(name))) continue;
    const socket = await answeringSocket(join(root, name));
    if (socket === null) continue;
    const who = `whoever answers on ${socket}`;
    found.set(vmName(name), { name: vmName(name), process: null, outputFile: null, who });
  }
  return found;
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
