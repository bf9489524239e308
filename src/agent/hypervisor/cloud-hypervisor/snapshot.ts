/** A guest's state into a folder of the node. */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { OdoroboError } from "../../../model/errors.ts";
import type { ApiClient } from "./client.ts";
import { fileUrl } from "./files.ts";

/** What a snapshot consists of. The last is left out for guests whose memory is files of their own. */
const FILES = ["config.json", "state.json", "memory-ranges"];
const RESUME_MS = 30_000;

/**
 * Stands still while its memory is written, and runs on afterwards if it ran before, whatever happens: also when the
 * caller's signal comes. Disks are not in it: whoever wants them copies them while the guest is paused, so before this.
 */
export async function takeSnapshot(
  client: ApiClient,
  folder: string,
  isRunning: boolean,
  signal: AbortSignal,
): Promise<void> {
  await refuseUnlessEmpty(folder);
  if (isRunning) await client.call("vm.pause", { signal });
  try {
    await client.call("vm.snapshot", { destination_url: fileUrl(folder) }, { signal });
  } catch (error) {
    // Half of one would stand in the way of the next.
    for (const file of FILES) await rm(join(folder, file), { force: true }).catch(() => {});
    throw error;
  } finally {
    // It waits in the queue behind a snapshot that goes on though nobody waits for it.
    if (isRunning) await client.call("vm.resume", { signal: AbortSignal.timeout(RESUME_MS) });
  }
}

/**
 * What the configuration in it names, wherever it stands there: a field that odorobo does not know may name a file, too. Texts
 * that begin with / and are none are taken for one.
 */
export async function snapshotPaths(folder: string): Promise<readonly string[]> {
  const file = join(folder, "config.json");
  let config: unknown;
  try {
    config = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new OdoroboError("BAD_REQUEST", `${file} cannot be read as the configuration of a snapshot`, {
      cause,
      hint: "odorobo vm snapshot NAME FOLDER writes one",
    });
  }
  return [...new Set(pathsIn(config))].filter((path) => path !== RANDOM).sort();
}

/** Every guest's. */
const RANDOM = "/dev/urandom";

function* pathsIn(value: unknown): Iterable<string> {
  if (typeof value === "string") {
    const path = value.replace(/^(file|unix):(\/\/)?(?=\/)/, "");
    if (path.startsWith("/")) yield path;
  } else if (typeof value === "object" && value !== null)
    // A terminal is made anew by the process: which one it was says nothing.
    for (const [key, each] of Object.entries(value))
      if (key !== "file" || !("mode" in value) || value.mode !== "Pty") yield* pathsIn(each);
}

async function refuseUnlessEmpty(folder: string): Promise<void> {
  const files = await readdir(folder).catch((cause: unknown) => {
    throw new OdoroboError("BAD_REQUEST", `${folder} cannot be read`, {
      cause,
      hint: "make an empty folder there on the node, which the hypervisor's user may write to",
    });
  });
  if (files.length === 0) return;
  throw new OdoroboError("BAD_REQUEST", `${folder} is not empty`, {
    hint: "a snapshot overwrites nothing: name an empty folder",
  });
}
