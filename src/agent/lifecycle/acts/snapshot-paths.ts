/** Whether what a snapshot names may be opened: it is a file like any other, and says which files its guest goes on with. */
import { sep } from "node:path";
import { OdoroboError } from "../../../model/errors.ts";
import { confinePath } from "../../confine-path.ts";
import type { Hypervisor, LaunchInput } from "../../hypervisor/hypervisor.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import type { Parts } from "../parts/parts.ts";

/** Rejects with PATH_NOT_ALLOWED for what is neither the VM's own, nor where callers may have files taken from. */
export async function checkSnapshotPaths(
  parts: Parts,
  { hypervisor, input, command }: { hypervisor: Hypervisor; input: LaunchInput; command: LaunchCommand | null },
  folder: string,
): Promise<void> {
  const named = (await hypervisor.snapshotPaths?.(folder)) ?? [];
  const { reads = [], writes = [], devices = [] } = command?.needs ?? {};
  const own = new Set([...reads, ...writes, ...devices]);
  const { runFolder, diskFolder, logFolder } = input.paths;
  const isBelowOwn = (path: string) =>
    !path.split("/").includes("..") && [runFolder, diskFolder, logFolder].some((each) => path.startsWith(each + sep));
  for (const path of named) {
    if (own.has(path) || isBelowOwn(path)) continue;
    try {
      await confinePath(path, parts.allowedRoots);
    } catch (cause) {
      throw new OdoroboError(
        "PATH_NOT_ALLOWED",
        `the snapshot in ${folder} names ${JSON.stringify(path.slice(0, 200))}, which is not ${input.name}'s`,
        {
          cause,
          hint: "a snapshot is restored to the VM that it was taken of, with the disks that its spec names",
        },
      );
    }
  }
}
