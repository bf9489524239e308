/** What the host is and has, asked once at the start of the agent. */
import { readFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { Capacity } from "../../model/observed-state.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import { makeFolders } from "../../platform/make-folders.ts";

const BYTES_PER_MIB = 1024 * 1024;

/** Cpus and memory that this agent may use: the host's, or less where a cgroup says so (an agent in a container). */
export async function readCapacity(override: Partial<Capacity> = {}): Promise<Capacity> {
  const limitBytes = await cgroupMemoryLimit();
  return {
    // Respects affinity and, from Node 24 on, the cgroup's cpu quota.
    cpus: override.cpus ?? availableParallelism(),
    memoryMiB: override.memoryMiB ?? Math.floor(Math.min(totalmem(), limitBytes ?? Infinity) / BYTES_PER_MIB),
  };
}

/** Changes at every start of the host. */
export async function readBootId(): Promise<string> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch (error) {
    throw new OdoroboError("AGENT_CONFIG", "the agent needs Linux: /proc/sys/kernel/random/boot_id cannot be read", {
      cause: error,
      hint: "run the agent on a Linux host with /proc mounted",
    });
  }
}

/** The node's id: made once per data folder, the same for ever after. */
export async function readOrMakeNodeId(dataFolder: string, newId: () => string): Promise<string> {
  const path = join(dataFolder, "node-id");
  try {
    const id = (await readFile(path, "utf8")).trim();
    if (id !== "") return id;
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw unreadable(path, error);
  }
  const id = newId();
  try {
    await makeFolders(dataFolder);
    await writeFileAtomically(path, `${id}\n`, 0o644);
  } catch (error) {
    throw unreadable(path, error);
  }
  return id;
}

const unreadable = (path: string, cause: unknown): OdoroboError =>
  new OdoroboError("STORAGE_FAILED", `could not read or write the node's id in ${path}`, {
    cause,
    hint: "the agent needs a data folder that it may write to",
  });

/** Version 2, then version 1; null where there is no limit or no cgroup. */
async function cgroupMemoryLimit(): Promise<number | null> {
  for (const path of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    const text = await readFile(path, "utf8").catch(() => null);
    if (text === null) continue;
    const bytes = Number(text.trim());
    return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
  }
  return null;
}
