/** A file system of the test's own, in memory, that is full when the test says so. Needs "mounts". */
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** To the last byte. */
  fill(): Promise<void>;
  /** Bytes there are, but no file can be made any more. */
  fillFiles(): Promise<void>;
  /** Of what `fill` and `fillFiles` put there. */
  empty(): Promise<void>;
  remount(mode: "ro" | "rw"): Promise<void>;
  grow(sizeMiB: number): Promise<void>;
}

/** Below `folder`, which is there. */
export async function aSmallDisk(folder: string, sizeMiB = 2): Promise<SmallDisk> {
  const path = join(folder, "disk");
  await mkdir(path);
  await run("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m,nr_inodes=1000,mode=700`, "tmpfs", path]);
  let fillers = 0;
  return {
    path,
    async fill() {
      // A file that is there does not grow when only the last page is missing.
      await writeFile(join(path, `filler-${fillers++}`), Buffer.alloc((sizeMiB + 1) * 1024 * 1024)).catch(() => {});
    },
    async fillFiles() {
      for (;;) {
        const isFull = await writeFile(join(path, `filler-${fillers++}`), "").then(
          () => false,
          () => true,
        );
        if (isFull) return;
      }
    },
    async empty() {
      for (; fillers > 0; fillers--) await rm(join(path, `filler-${fillers - 1}`), { force: true });
    },
    async remount(mode) {
      await run("mount", ["-o", `remount,${mode}`, path]);
    },
    async grow(newSizeMiB) {
      await run("mount", ["-o", `remount,size=${newSizeMiB}m`, path]);
    },
    async [Symbol.asyncDispose]() {
      // The agent may still have files open; it goes for good with the last of them.
      await run("umount", ["--lazy", path]);
    },
  };
}
