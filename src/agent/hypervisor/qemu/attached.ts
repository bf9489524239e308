/**
 * What was attached to a guest since its boot, in the spec's words: written before the device is added, so that an agent that
 * comes back knows what it looks at. Lives in the run folder and ends with the process (it is one of its stale files).
 */
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { Disk, Nic } from "../../../model/vm-spec.ts";
import { writeFileAtomically } from "../../../platform/atomic-write.ts";
import { readPlainText } from "../../../platform/plain-file.ts";

export interface Attached {
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
}

export const NOTHING_ATTACHED: Attached = { disks: [], nics: [] };

export const withDisk = (attached: Attached, disk: Disk): Attached => ({
  ...attached,
  disks: [...attached.disks.filter((other) => other.name !== disk.name), disk],
});

export const withNic = (attached: Attached, nic: Nic): Attached => ({
  ...attached,
  nics: [...attached.nics.filter((other) => other.name !== nic.name), nic],
});

export async function readAttached(path: string): Promise<Attached> {
  try {
    return JSON.parse(await readPlainText(path)) as Attached;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return NOTHING_ATTACHED;
    throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `cannot read what was attached to the guest from ${path}`, {
      cause: error,
      hint: "reboot the VM: the file is made anew",
    });
  }
}

export const writeAttached = (path: string, attached: Attached): Promise<void> =>
  writeFileAtomically(path, `${JSON.stringify(attached)}\n`);
