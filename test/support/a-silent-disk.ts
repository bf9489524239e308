/** A file system of the test's own that answers nothing, as one of a server that is gone, until it ends. Needs "fuse". */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";

export interface SilentDisk extends AsyncDisposable {
  readonly path: string;
}

/** Below `folder`, which is there. */
export async function aSilentDisk(folder: string): Promise<SilentDisk> {
  const path = join(folder, "silent");
  await mkdir(path);
  // Whoever holds this serves the file system, and nobody reads from it.
  const server = await open("/dev/fuse", "r+");
  const run = async (args: readonly string[]) => {
    const child = spawn(args[0] as string, args.slice(1), { stdio: ["ignore", "ignore", "inherit", server.fd] });
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`${args.join(" ")}: ${code}`);
  };
  try {
    await run(["mount", "-i", "-t", "fuse", "-o", "fd=3,rootmode=40000,user_id=0,group_id=0", "silent", path]);
  } catch (error) {
    await server.close();
    throw error;
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      // First, so that whoever waits for an answer gets an error; closing needs a thread, which they have.
      await run(["umount", "--lazy", path]);
      await server.close();
    },
  };
}
