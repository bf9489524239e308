/**
 * What applies have told this node about where the VMs of its fleets are: `<data>/fleets/<fleet>.json`, the latest of each fleet.
 * Memory for others' sake: nothing on this node depends on it, and a file that cannot be read is as good as none.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { byName, isDnsLabel } from "../../model/names.ts";
import type { Whereabouts } from "../../model/observed-state.ts";
import { noteToKeep } from "../../model/whereabouts.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { makeFolders } from "../../platform/make-folders.ts";
import { findRequestError } from "../../wire/check-shape.ts";
import { isNoRoom, storageError } from "../storage-error.ts";
import type { Reserve } from "./reserve.ts";

export interface WhereaboutsStore {
  /** Sorted by fleet. */
  all(): readonly Whereabouts[];
  /** Durable when it resolves, on a full disk, too. What is older than what is known changes nothing. Rejects with INSUFFICIENT_STORAGE or STORAGE_FAILED. */
  keep(told: Whereabouts): Promise<void>;
}

export async function openWhereaboutsStore(
  dataFolder: string,
  {
    clock,
    logger,
    reserve = null,
  }: { readonly clock: Clock; readonly logger: Logger; readonly reserve?: Reserve | null },
): Promise<WhereaboutsStore> {
  const folder = join(dataFolder, "fleets");
  const known = new Map<string, Whereabouts>();
  let writing: Promise<void> = Promise.resolve();
  await makeFolders(folder).catch(failed(folder));
  for (const file of await readdir(folder).catch(failed(folder))) {
    const told = file.endsWith(".json") ? await read(join(folder, file), logger) : null;
    if (told !== null) known.set(told.fleet, told);
  }

  async function write(told: Whereabouts): Promise<void> {
    const note = noteToKeep(told, known.get(told.fleet), clock.now());
    if (note === null) return;
    const [path, text] = [join(folder, `${told.fleet}.json`), JSON.stringify(note)];
    try {
      await writeFileAtomically(path, text).catch(async (error: unknown) => {
        if (reserve === null || !isNoRoom(error)) throw error;
        // Little, and what keeps VMs from being started twice: an apply that makes room must not fail for it.
        await reserve.write(path, text);
      });
    } catch (error) {
      failed(folder)(error);
    }
    known.set(told.fleet, note);
  }

  return {
    all: () => [...known.values()].sort((a, b) => byName(a.fleet, b.fleet)),
    keep(told) {
      // One after the other: two writers of one file must take turns.
      const mine = writing.then(() => write(told));
      writing = mine.catch(() => {});
      return mine;
    },
  };
}

async function read(path: string, logger: Logger): Promise<Whereabouts | null> {
  try {
    const told = JSON.parse(await readFile(path, "utf8")) as Whereabouts;
    const problem = findRequestError("whereabouts", told) ?? (isDnsLabel(told.fleet) ? null : "its fleet has no name");
    if (problem === null) return told;
    logger.warn({ path, problem }, "what is noted of a fleet's whereabouts is left aside");
  } catch (error) {
    logger.warn({ err: error, path }, "what is noted of a fleet's whereabouts cannot be read");
  }
  return null;
}

const failed =
  (folder: string) =>
  (cause: unknown): never => {
    throw storageError(`the agent could not use ${folder}`, cause, "is the folder writable?");
  };
