/** Whether somebody else's disks are there, and are what they will be opened as: asked before anything is begun. */
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import { filePath } from "../../../model/identity/disk-url.ts";
import type { Disk } from "../../../model/vm-spec.ts";
import type { Hypervisor, LaunchInput } from "../../hypervisor/hypervisor.ts";
import { ownDiskFile } from "../../launch-command.ts";
import { checkSource, type Source } from "../../storage/check-format.ts";

/** Rejects with IMAGE_MISSING or UNSUPPORTED. Disks on the network are their servers' to tell of. */
export async function checkSources(
  hypervisor: Hypervisor,
  { name, spec, paths }: Pick<LaunchInput, "name" | "spec" | "paths">,
): Promise<void> {
  if (hypervisor.disks !== "real") return;
  const isGuessed = hypervisor.guessesFormats?.() === true;
  for (const disk of spec.disks) {
    const path = disk.origin.kind === "external" ? filePath(disk.origin.url) : null;
    if (path !== null) await check(name, disk, { disk: disk.name, path, format: formatOf(path), isGuessed });
    // What a guest has written into a disk of its own must not be believed either.
    const own = isGuessed && disk.origin.kind === "blank" ? ownDiskFile(paths, disk) : null;
    if (own !== null) await checkSource({ disk: disk.name, path: own, format: "raw", isGuessed }).catch(unlessNotThere);
  }
}

async function check(vm: string, disk: Disk, source: Source): Promise<void> {
  try {
    await checkSource(source);
  } catch (cause) {
    if (cause instanceof OdoroboError) throw cause;
    // The hypervisor may be another user, who may read what the agent may not: what is opened as raw names nothing to follow.
    if ((isErrno(cause, "EACCES") || isErrno(cause, "EPERM")) && source.format === "raw" && !source.isGuessed) return;
    throw new OdoroboError(
      "IMAGE_MISSING",
      `${vm} needs disk ${disk.name}, and ${source.path} cannot be read on this node`,
      {
        cause,
        hint: `put it at ${source.path} on this node, or correct its source in the manifests`,
      },
    );
  }
}

const formatOf = (path: string): Source["format"] => (path.endsWith(".qcow2") ? "qcow2" : "raw");

function unlessNotThere(error: unknown): void {
  if (!isErrno(error, "ENOENT")) throw error;
}
