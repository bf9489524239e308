/** `fleets.json` in the data folder: which fleet each entry of a gateway turns. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import type { KnownNames } from "../cluster/etcd-fleet-names.ts";
import { type FleetNames, mismatch } from "./guarded-source.ts";

/** Rejects with FILE_UNWRITABLE when what is there cannot be read. */
export async function openFleetNames(dataFolder: string): Promise<KeptFleetNames> {
  const path = join(dataFolder, "fleets.json");
  const known = await readNames(path);
  return keptNames({
    read: async () => known,
    async put(entry, fleet) {
      known.set(entry, fleet);
      await writeFileAtomically(path, `${JSON.stringify(Object.fromEntries(known), null, 2)}\n`).catch((cause) => {
        known.delete(entry);
        throw new OdoroboError("FILE_UNWRITABLE", `cannot write ${path}`, {
          cause,
          hint: "is the disk full, or the folder another user's?",
        });
      });
    },
  });
}

export type KeptFleetNames = FleetNames & { keepOnly(entries: readonly string[]): void };

/** What is checked is the same wherever the names are kept. */
export function keptNames({ read, put }: KnownNames): KeptFleetNames {
  let configured: ReadonlySet<string> | null = null;
  let turn = Promise.resolve();
  return {
    /** Entries that are gone from the file let go of their fleets. */
    keepOnly: (entries) => {
      configured = new Set(entries);
    },
    claim(entry, fleet) {
      const mine = turn.then(async () => {
        const known = await read();
        const before = known.get(entry);
        if (before === fleet) return;
        if (before !== undefined)
          throw mismatch(
            `the repository names the fleet ${fleet}, and ${entry} has kept ${before} until now`,
            `was it renamed, or is it another repository? If it is meant: another name for the entry, so that nothing of ${before} is touched`,
          );
        const other = [...known].find(
          ([name, its]) => its === fleet && name !== entry && (configured?.has(name) ?? true),
        );
        if (other !== undefined)
          throw mismatch(
            `the repository names the fleet ${fleet}, which ${other[0]} turns already`,
            "two entries would undo what the other does: remove one of them, or give the fleet in one repository another name",
          );
        await put(entry, fleet);
      });
      turn = mine.catch(() => {});
      return mine;
    },
  };
}

async function readNames(path: string): Promise<Map<string, string>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    const isNames =
      typeof value === "object" && value !== null && Object.values(value).every((each) => typeof each === "string");
    if (!isNames) throw new Error("it is not a map of names");
    return new Map(Object.entries(value as Record<string, string>));
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) return new Map();
    throw new OdoroboError("FILE_UNWRITABLE", `${path} cannot be read`, {
      cause,
      hint: "remove it: which fleet each entry turns is then taken from what the repositories say next",
    });
  }
}
