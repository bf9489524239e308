/** Finds guests' processes by where they work: the run folder is what two agents must not share, whatever their data folders. */
import { realpath } from "node:fs/promises";
import type { FoundProcess } from "../supervisor.ts";
import { environmentOf, processFacts, workingFolders } from "./proc.ts";

/** In the environment of every process that a supervisor starts: the file that its output goes to. */
export const MARK = "ODOROBO_OUTPUT_FILE";

/** Also units of systemd, whose environment has the mark too: whichever supervisor an earlier agent had. */
export async function processesBelow(folder: string, bootId: string): Promise<readonly FoundProcess[]> {
  const root = await realpath(folder).catch(() => folder);
  const found = new Map<number, FoundProcess & { readonly parent: number }>();
  for (const [pid, path] of workingFolders()) {
    const workingFolder = inFolder(path, folder, root);
    const outputFile = workingFolder === null ? null : environmentOf(pid, MARK);
    const facts = processFacts(pid);
    if (facts === null || workingFolder === null || outputFile === null) continue;
    const process = { pid, startTicks: facts.startTicks, bootId };
    found.set(pid, { process, workingFolder, outputFile, parent: facts.parent });
  }
  // Helpers that the hypervisor started inherit the mark; the one whose parent has none is the hypervisor.
  return [...found.values()]
    .filter(({ parent }) => !found.has(parent))
    .map(({ process, workingFolder, outputFile }) => ({ process, workingFolder, outputFile }));
}

/** A path below `root` (what `folder` really is) as it is called below `folder`; null: it lies elsewhere. */
export function inFolder(path: string, folder: string, root: string): string | null {
  for (const each of [root, folder]) if (path.startsWith(`${each}/`)) return folder + path.slice(each.length);
  return null;
}
