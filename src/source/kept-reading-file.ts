/** The last reading of a fleet without mistakes, on disk: a file per fleet, its VMs a line each. */
import { hash } from "node:crypto";
import { join } from "node:path";
import type { KeptReading, KeptVm } from "../manifest/vm/kept-reading.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { readKept, writeKept } from "../platform/kept-file.ts";

export interface KeptReadingFile {
  readonly reading: KeptReading | null;
  /** Never fails: without a cache everything still works. */
  save(reading: KeptReading): Promise<void>;
}

/** `key`: what tells fleets apart. `code`: which code reads: what another made of the same texts is not ours. */
export function openKeptReading(key: string, code: string, folder = cacheFolder()): KeptReadingFile {
  const path = join(folder, "read", `${hash("sha256", key, "hex").slice(0, 32)}.jsonl`);
  const header = `odorobo reading ${code}`;
  return {
    reading: load(path, header),
    save: ({ vms, ...head }) =>
      writeKept(
        path,
        header,
        [head, ...vms].map((line) => JSON.stringify(line)),
      ),
  };
}

function load(path: string, header: string): KeptReading | null {
  let head: Omit<KeptReading, "vms"> | null = null as Omit<KeptReading, "vms"> | null;
  const vms: KeptVm[] = [];
  const isOurs = readKept(path, header, (text) => {
    if (head === null) head = JSON.parse(text()) as Omit<KeptReading, "vms">;
    else vms.push(JSON.parse(text()) as KeptVm);
  });
  return head !== null && isOurs ? { ...head, vms } : null;
}
