/** What a move sends. */
import type { VmSpec } from "../model/vm-spec.ts";

/** Memory of one that runs, and empty disks as large as they are: at most that. Of a disk over an image only what was written goes, which nobody knows. */
export const sentMiB = ({ memory, disks }: Pick<VmSpec, "memory" | "disks">, isOff = false): number =>
  (isOff ? 0 : memory.sizeMiB) +
  disks.reduce((sum, { origin }) => sum + (origin.kind === "blank" ? origin.sizeMiB : 0), 0);
