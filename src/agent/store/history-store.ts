/**
 * How long moves, boots and stops took on this node: `<data>/history.json`. Bounded, and of use to plans alone: nothing waits for it, nothing
 * fails for it, and a file that cannot be read is as good as none.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type MoveSample, SAMPLES_KEPT, type Sample, type VmHistory } from "../../model/history.ts";
import { byName, type VmName } from "../../model/names.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import type { Logger } from "../../platform/logger.ts";
import { findHistoryError } from "../../wire/check-shape.ts";

/** Beyond these the VMs of which nothing was heard for longest are forgotten. */
const MOST_VMS = 1_000;
/** Boots of hundreds of VMs are one write. What a crash takes with it nobody misses. */
const WRITE_AFTER_MS = 2_000;

export interface HistoryStore extends AsyncDisposable {
  /** Sorted by name. */
  all(): readonly VmHistory[];
  note(
    vm: VmName,
    sample: { readonly moves: MoveSample } | { readonly boots: Sample } | { readonly stops: Sample },
  ): void;
}

export async function openHistoryStore(
  dataFolder: string,
  { logger, writeAfterMs = WRITE_AFTER_MS }: { readonly logger: Logger; readonly writeAfterMs?: number },
): Promise<HistoryStore> {
  const path = join(dataFolder, "history.json");
  // In the order in which they were last heard of.
  const known = new Map<VmName, VmHistory>((await read(path, logger)).map((each) => [each.name, each]));
  let sorted: readonly VmHistory[] | null = null;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;
  const write = (): Promise<void> => {
    if (timer === null) return writing;
    clearTimeout(timer);
    timer = null;
    writing = writing
      .then(() => writeFileAtomically(path, JSON.stringify([...known.values()])))
      .catch((error: unknown) => logger.warn({ err: error, path }, "how long things took could not be noted"));
    return writing;
  };
  return {
    all() {
      sorted ??= [...known.values()].sort((a, b) => byName(a.name, b.name));
      return sorted;
    },
    note(vm, sample) {
      const history = known.get(vm) ?? { name: vm };
      known.delete(vm);
      const [kind, value] = Object.entries(sample)[0] as [keyof Omit<VmHistory, "name">, Sample];
      known.set(vm, { ...history, [kind]: [...(history[kind] ?? []), value].slice(-SAMPLES_KEPT) });
      for (const name of known.keys()) if (known.size > MOST_VMS) known.delete(name);
      sorted = null;
      // An agent that has ended writes nothing any more.
      if (!isClosed) timer ??= setTimeout(() => void write(), writeAfterMs).unref();
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await write();
    },
  };
}

async function read(path: string, logger: Logger): Promise<readonly VmHistory[]> {
  try {
    const history: unknown = JSON.parse(await readFile(path, "utf8"));
    const problem = findHistoryError(history);
    if (problem === null) return history as VmHistory[];
    logger.warn({ path, problem }, "how long things took is begun anew: the file does not make sense");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      logger.warn({ err: error, path }, "how long things took is begun anew: the file cannot be read");
  }
  return [];
}
