/**
 * What was attached to a guest since its boot, in the spec's words: written before the device is added, so that an agent that
 * comes back knows what it looks at. Lives in the run folder and ends with the process (it is one of its stale files).
 */
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { Instant } from "../../../model/names.ts";
import type { Disk, Nic } from "../../../model/vm-spec.ts";
import { writeFileAtomically } from "../../../platform/atomic-write.ts";
import { readPlainText } from "../../../platform/plain-file.ts";

export interface Attached {
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
  /** What the guest was asked to let go of and was not seen to: noted before it is asked, forgotten when nothing of it is left. */
  readonly releasing: readonly Releasing[];
}

export interface Releasing {
  readonly list: "disks" | "nics";
  readonly name: string;
  readonly since: Instant;
}

export const NOTHING_ATTACHED: Attached = { disks: [], nics: [], releasing: [] };

export const withDisk = (attached: Attached, disk: Disk): Attached => ({
  ...attached,
  disks: [...attached.disks.filter((other) => other.name !== disk.name), disk],
});

export const withNic = (attached: Attached, nic: Nic): Attached => ({
  ...attached,
  nics: [...attached.nics.filter((other) => other.name !== nic.name), nic],
});

/** Asked before: since then. */
export const withReleasing = (attached: Attached, asked: Releasing): Attached =>
  attached.releasing.some((each) => isSame(each, asked))
    ? attached
    : { ...attached, releasing: [...attached.releasing, asked] };

export const withReleased = (attached: Attached, gone: readonly Releasing[]): Attached => ({
  ...attached,
  releasing: attached.releasing.filter((each) => !gone.some((other) => isSame(each, other))),
});

const isSame = (one: Releasing, other: Releasing): boolean => one.list === other.list && one.name === other.name;

export async function readAttached(path: string): Promise<Attached> {
  try {
    return { ...NOTHING_ATTACHED, ...(JSON.parse(await readPlainText(path)) as Partial<Attached>) };
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
