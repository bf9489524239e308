/**
 * Ties a run folder to the node whose guests run below it: `<run>/node-id`, the id of the data folder that knows them.
 *
 * An agent that is started with another data folder (one that is not mounted, a flag that was forgotten) knows none of the
 * guests that run, would plan to create them all, and would take their sockets from them. It does not start. The file goes
 * with the host's boot, as the guests do.
 */
import { readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import type { Logger } from "../../platform/logger.ts";
import { type FoundGuest, findGuests } from "../supervisor/find-guests.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

export interface RunFolderClaim {
  readonly runFolder: string;
  readonly dataFolder: string;
  /** Of the data folder. */
  readonly nodeId: string;
  readonly supervisor: Supervisor;
  readonly log: Logger;
}

/** Rejects with DATA_FOLDER_MISMATCH while guests of another data folder run there, and with STORAGE_FAILED. */
export async function claimRunFolder({
  runFolder,
  dataFolder,
  nodeId,
  supervisor,
  log,
}: RunFolderClaim): Promise<void> {
  const path = join(runFolder, "node-id");
  const known = await read(path);
  if (known === nodeId) return;
  const running = [...(await findGuests(supervisor, runFolder)).values()];
  const guests = known === null ? await foreignOf(running, dataFolder) : running;
  if (guests.length > 0) throw mismatch(runFolder, dataFolder, guests);
  if (known !== null) {
    log.warn(
      { runFolder, was: known, now: nodeId },
      "the run folder was another data folder's, whose guests have ended",
    );
  }
  await writeFileAtomically(path, `${nodeId}\n`, 0o644).catch(failed(path));
}

/** Where no agent left an id (one of before them): what a guest's process writes to tells whose it is, too. */
async function foreignOf(guests: readonly FoundGuest[], dataFolder: string): Promise<readonly FoundGuest[]> {
  const real = (path: string) => realpath(path).catch(() => path);
  const own = await real(dataFolder);
  const isForeign = await Promise.all(
    guests.map(
      async ({ outputFile }) => outputFile !== null && !(await real(dirname(outputFile))).startsWith(`${own}/`),
    ),
  );
  return guests.filter((_, index) => isForeign[index]);
}

async function read(path: string): Promise<string | null> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return "";
    return failed(path)(error);
  });
  return text.trim() === "" ? null : text.trim();
}

function mismatch(
  runFolder: string,
  dataFolder: string,
  guests: readonly { name: string; who: string }[],
): OdoroboError {
  const shown = guests.slice(0, 3).map(({ name, who }) => `${name}: ${who}`);
  const more = guests.length > shown.length ? `, and ${guests.length - shown.length} more` : "";
  return new OdoroboError(
    "DATA_FOLDER_MISMATCH",
    `guests run below ${runFolder} that the data folder ${dataFolder} knows nothing of (${shown.join(", ")}${more})`,
    {
      hint: "start the agent with the data folder that it had before (is it mounted? --data), or end those guests, or give another --run",
    },
  );
}

const failed =
  (path: string) =>
  (cause: unknown): never => {
    throw new OdoroboError("STORAGE_FAILED", `could not read or write ${path}`, {
      cause,
      hint: "the agent needs a run folder that it may write to",
    });
  };
