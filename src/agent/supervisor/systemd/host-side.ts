/** What a start needs of the host: where the program is, a file for its output, and the groups of its devices. */
import { accessSync, closeSync, constants, lstatSync, openSync, statSync, unlinkSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { OdoroboError } from "../../../model/errors.ts";
import type { LaunchCommand, ProcessNeeds } from "../../launch-command.ts";
import { storageError } from "../../storage-error.ts";

/** Nothing else of the agent's own environment reaches a hypervisor: it may hold the agent's secrets. */
export const searchPath = (): string =>
  process.env.PATH ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** systemd wants an absolute path. Throws HYPERVISOR_FAILED when there is no such program. */
export function resolveExecutable(name: string, executable: string): string {
  const candidates = isAbsolute(executable)
    ? [executable]
    : searchPath()
        .split(delimiter)
        .map((folder) => join(folder, executable));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new OdoroboError("HYPERVISOR_FAILED", `${executable} for ${name} could not be started: it is not there`, {
    hint: `is ${executable} installed on the node?`,
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export function openOutput(name: string, command: LaunchCommand): void {
  try {
    // What a guest that broke out of its last life put there in its stead would have systemd write elsewhere, as root.
    const there = lstatSync(command.outputFile, { throwIfNoEntry: false });
    if (there !== undefined && !there.isFile()) unlinkSync(command.outputFile);
    closeSync(openSync(command.outputFile, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  } catch (error) {
    throw storageError(`could not open ${command.outputFile} for the output of ${name}`, error);
  }
}

/** Groups of the devices that not everybody may open: `kvm`. By number, as a container may have no name for it. */
export function groupsOf(needs: ProcessNeeds): readonly string[] {
  const groups = needs.devices.flatMap((device) => {
    const facts = device.startsWith("/") ? statSync(device, { throwIfNoEntry: false }) : undefined;
    if (facts === undefined || (facts.mode & 0o006) === 0o006 || (facts.mode & 0o060) !== 0o060) return [];
    return facts.gid === 0 ? [] : [String(facts.gid)];
  });
  return [...new Set(groups)];
}
