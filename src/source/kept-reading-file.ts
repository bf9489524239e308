/** The last reading of a fleet without mistakes, on disk: a file per fleet, what its VMs share and its VMs a line each. */
import { hash } from "node:crypto";
import { join } from "node:path";
import type { KeptReading, KeptVm } from "../manifest/vm/kept-reading.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { readKept, writeKept } from "../platform/kept-file.ts";
import { SharingWriter, unpackShared } from "./shared-values.ts";

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
    save({ vms, ...reading }) {
      const writer = new SharingWriter();
      const rows = vms.map(({ spec, source, ...vm }) =>
        JSON.stringify([writer.pack(vm), source, writer.pack(spec)] satisfies Row),
      );
      const head: Head = { ...reading, shared: writer.table.length };
      return writeKept(path, header, [JSON.stringify(head), ...writer.table, ...rows]);
    },
  };
}

/** The first line; what is shared and the VMs follow, a line each. */
interface Head extends Omit<KeptReading, "vms"> {
  readonly shared: number;
}

type Row = readonly [vm: object, source: KeptVm["source"], spec: object];

function load(path: string, header: string): KeptReading | null {
  let head: Head | null = null as Head | null;
  const table: unknown[] = [];
  const vms: KeptVm[] = [];
  const isOurs = readKept(path, header, (text) => {
    if (head === null) head = JSON.parse(text()) as Head;
    else if (table.length < head.shared) table.push(JSON.parse(text()));
    else vms.push(toVm(JSON.parse(text()) as Row, table));
  });
  if (head === null || !isOurs) return null;
  const { shared: _, ...reading } = head;
  return { ...reading, vms };
}

function toVm([vm, source, spec]: Row, table: readonly unknown[]): KeptVm {
  const unpacked = unpackShared(vm as Readonly<Record<string, unknown>>, table);
  return Object.assign(unpacked, {
    source,
    spec: unpackShared(spec as Readonly<Record<string, unknown>>, table),
  }) as unknown as KeptVm;
}
