/**
 * What this node was asked to run, on disk:
 *
 *   <data>/vms/<name>/record.json   the VM or its tombstone (vm-record.ts), written atomically and synced; on a full disk with spaces
 *                                   behind it (reserve.ts)
 *   <data>/vms/<name>/texts/<digest>  cloud-init texts, which may be secret: mode 0600, written before the record that needs them
 *   <data>/vms/<name>/disks/          disks of the agent's own (storage/)
 *   <data>/vms/<name>/logs/           serial log, hypervisor output
 *   <run>/vms/<name>/                 sockets; gone after a reboot of the host
 *
 * Invariants: a VM is never forgotten silently: a folder with disks or a broken record is reported as unreadable, not left out.
 * Two writers of one VM must take turns (its queue sees to that).
 */
import { readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../../model/errors.ts";
import { byName, type Digest, isDnsLabel, type VmName, vmName } from "../../model/names.ts";
import { syncFolder, writeFileAtomically } from "../../platform/atomic-write.ts";
import { mapWithLimit } from "../../platform/limit.ts";
import { makeFolders } from "../../platform/make-folders.ts";
import { type VmPaths, vmPaths } from "../launch-command.ts";
import { isNoRoom, storageError } from "../storage-error.ts";
import { DamagedRecord, OtherFormat, parseRecord, recordText } from "./record-text.ts";
import type { Reserve } from "./reserve.ts";
import { sharedSync } from "./shared-sync.ts";
import type { StoredVm, UnreadableRecord } from "./vm-record.ts";

export interface VmStore {
  /** Everything there is, sorted by name. */
  load(): Promise<readonly (StoredVm | UnreadableRecord)[]>;
  /**
   * Durable when it resolves. Rejects with INSUFFICIENT_STORAGE or STORAGE_FAILED, and then the old record still stands.
   * `fromReserve`: what ends or frees something, or has happened already, is written on a full disk, too.
   */
  save(record: StoredVm, options?: { readonly fromReserve?: boolean }): Promise<void>;
  /** Keeps texts under their digests; those already there are not written again. */
  saveTexts(name: VmName, texts: ReadonlyMap<Digest, string>): Promise<void>;
  /** Rejects with STORAGE_FAILED when one is missing. */
  readTexts(name: VmName, digests: readonly Digest[]): Promise<ReadonlyMap<Digest, string>>;
  /** Removes the texts that no spec refers to any more. */
  keepOnlyTexts(name: VmName, digests: readonly Digest[]): Promise<void>;
  /** For good: disks, logs, and last the record, so that an interrupted removal is still known. */
  remove(name: VmName): Promise<void>;
  paths(name: VmName): VmPaths;
}

/** How many files are read at the same time at the start of the agent: Node's file threads are four by default, more only queue. */
const READS_AT_A_TIME = 16;

export async function openVmStore(folders: {
  readonly dataFolder: string;
  readonly runFolder: string;
  /** None when left out. */
  readonly reserve?: Reserve;
}): Promise<VmStore> {
  const root = join(folders.dataFolder, "vms");
  const runRoot = join(folders.runFolder, "vms");
  const folderOf = (name: string) => join(root, name);
  const recordOf = (name: string) => join(root, name, "record.json");
  const textsOf = (name: string) => join(root, name, "texts");
  await makeFolders(root).catch(failed(`could not make the folder ${root}`));
  await makeFolders(runRoot).catch(failed(`could not make the folder ${runRoot}`));
  const syncRoot = sharedSync(() => syncFolder(root));
  /** Folders known to exist durably. */
  const made = new Set<string>();

  async function makeFolder(name: VmName): Promise<void> {
    if (made.has(name)) return;
    await makeFolders(folderOf(name));
    await syncRoot();
    made.add(name);
  }

  return {
    async load() {
      const entries = await readdir(root, { withFileTypes: true }).catch(failed(`could not read the folder ${root}`));
      const names = entries.filter((entry) => entry.isDirectory() && isDnsLabel(entry.name)).map((entry) => entry.name);
      const loaded = await mapWithLimit(names.sort(byName), READS_AT_A_TIME, (name) =>
        loadSafely(folderOf(name), name),
      );
      return loaded.flatMap((result) => {
        if (result.status === "rejected") throw result.reason;
        if (result.value !== null) made.add(result.value.name);
        return result.value === null ? [] : [result.value];
      });
    },
    async save(record, { fromReserve = false } = {}) {
      const text = recordText(record);
      try {
        await makeFolder(record.name);
        await writeFileAtomically(recordOf(record.name), text).catch(async (error: unknown) => {
          if (!fromReserve || folders.reserve === undefined || !isNoRoom(error)) throw error;
          await folders.reserve.write(recordOf(record.name), text);
        });
      } catch (error) {
        throw storageError(`could not write the record of ${record.name} in ${folderOf(record.name)}`, error);
      }
    },
    async saveTexts(name, texts) {
      if (texts.size === 0) return;
      try {
        await makeFolder(name);
        await makeFolders(textsOf(name));
        const present = new Set(await readdir(textsOf(name)));
        for (const [digest, text] of texts)
          if (!present.has(digest)) await writeFileAtomically(join(textsOf(name), digest), text);
        await syncFolder(folderOf(name));
      } catch (error) {
        throw storageError(`could not keep the cloud-init texts of ${name} in ${textsOf(name)}`, error);
      }
    },
    async readTexts(name, digests) {
      const texts = new Map<Digest, string>();
      for (const digest of digests)
        texts.set(
          digest,
          await readFile(join(textsOf(name), digest), "utf8").catch(
            failed(`could not read the cloud-init text ${digest.slice(0, 12)} of ${name} in ${textsOf(name)}`),
          ),
        );
      return texts;
    },
    async keepOnlyTexts(name, digests) {
      const keep = new Set<string>(digests);
      const present = await readdir(textsOf(name)).catch(() => []);
      for (const each of present) if (!keep.has(each)) await rm(join(textsOf(name), each), { force: true });
    },
    async remove(name) {
      try {
        const folder = folderOf(name);
        const entries = await readdir(folder).catch((error: unknown) => {
          if (isErrno(error, "ENOENT")) return [];
          throw error;
        });
        for (const entry of entries)
          if (entry !== "record.json") await rm(join(folder, entry), { recursive: true, force: true });
        await rm(recordOf(name), { force: true });
        await rm(folder, { recursive: true, force: true });
        made.delete(name);
        await syncRoot();
      } catch (error) {
        throw storageError(`could not remove the folder ${folderOf(name)}`, error);
      }
    },
    paths: (name) => vmPaths(folders, name),
  };
}

const BROKEN = "record.json.unreadable";

async function loadOne(folder: string, folderName: string): Promise<StoredVm | UnreadableRecord | null> {
  const name = vmName(folderName);
  const path = join(folder, "record.json");
  const unreadable = (problem: string): UnreadableRecord => ({ state: "unreadable", name, problem });
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (!isErrno(error, "ENOENT")) return unreadable(`${path} cannot be read (${codeOf(error)})`);
    const left = await readdir(folder);
    if (left.some((each) => each.startsWith(BROKEN))) return unreadable(`${path} was broken and is kept as ${BROKEN}`);
    const disks = await readdir(join(folder, "disks")).catch(() => []);
    if (disks.length > 0) return unreadable(`${path} is missing, but there are disks beside it`);
    // The folder of a creation that was never recorded, or of a removal that had nothing left to remove.
    await rm(join(folder, "texts"), { recursive: true, force: true });
    await rm(`${path}.tmp`, { force: true });
    await rmdir(folder).catch(() => {});
    return null;
  }
  try {
    return parseRecord(text, folderName);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    if (error instanceof OtherFormat || error instanceof DamagedRecord) return unreadable(`${path}: ${problem}`);
    const moved = await rename(path, join(folder, BROKEN)).then(
      () => `, kept as ${BROKEN}`,
      () => "",
    );
    return unreadable(`${path}: ${problem}${moved}`);
  }
}

/** A folder that cannot be looked into is one VM's trouble, not the node's. */
const loadSafely = (folder: string, name: string): Promise<StoredVm | UnreadableRecord | null> =>
  loadOne(folder, name).catch((error: unknown) => ({
    state: "unreadable",
    name: vmName(name),
    problem: `${folder} cannot be read (${codeOf(error)})`,
  }));

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "unknown error";

const failed =
  (message: string) =>
  (cause: unknown): never => {
    throw storageError(message, cause);
  };
