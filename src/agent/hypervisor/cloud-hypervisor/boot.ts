/** Gives an empty process its VM: defined and booted, or taken from a snapshot. */
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { makeFolders } from "../../../platform/make-folders.ts";
import type { ApiClient } from "./client.ts";
import { fileUrl } from "./files.ts";
import { resumesOnRestore } from "./version.ts";

/** For taking away what a failed boot left: it answers at once or never. */
const REAP_MS = 5000;

/**
 * `vm.create` checks nothing and opens the consoles, `vm.boot` does everything else. One that fails late leaves the VM half
 * built (`Created` with devices), and one that fails at a disk leaves it without that disk: a second boot would succeed with
 * less than was asked for. So what is left is deleted, and nothing is tried twice.
 */
export async function bootVm(client: ApiClient, config: VmConfig, signal: AbortSignal): Promise<void> {
  try {
    await client.call("vm.create", config, { signal });
    await client.call("vm.boot", { signal });
  } catch (error) {
    await client.call("vm.delete", { signal: AbortSignal.timeout(REAP_MS) }).catch(() => {
      // The process is ended by whoever started it.
    });
    throw error;
  }
}

/** A restore that fails deletes what it made by itself. */
export async function restoreVm(client: ApiClient, folder: string, signal: AbortSignal): Promise<void> {
  const source_url = fileUrl(folder);
  if (resumesOnRestore(client.version)) {
    await client.call("vm.restore", { source_url, resume: true }, { signal });
    return;
  }
  await client.call("vm.restore", { source_url }, { signal });
  await client.call("vm.resume", { signal });
}

/** Landlock refuses rules about what is not there. */
export async function makeConfinedFolders({ landlock_rules: rules }: VmConfig, own: string): Promise<void> {
  if (rules?.some(({ path }) => path === own)) await makeFolders(own);
}
