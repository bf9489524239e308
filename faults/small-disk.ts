/**
 * Small file systems in memory, in namespaces of the harness's own: nobody else sees its mounts and processes, and all of
 * them end with it, however it ends. What is full is really full.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../src/model/errors.ts";

/** Set in the process that runs inside the namespace. */
const INSIDE = "ODOROBO_FAULTS_NAMESPACE";

/** Whether this process may mount what nobody else sees. */
export const canMount = (): boolean => process.env[INSIDE] === "1";

/** Runs this very command again in namespaces of its own, and gives its exit code. Null: this machine does not let us. */
export async function againInNamespace(args: readonly string[]): Promise<number | null> {
  const inside = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
  if (process.getuid?.() !== 0 || spawnSync("unshare", [...inside, "true"]).status !== 0) return null;
  const child = spawn("unshare", [...inside, process.execPath, ...args], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  // It cleans up by itself; a terminal tells it by itself, too.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return await new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

export class SmallDisk {
  readonly path: string;
  readonly #ballast: string;
  isReadOnly = false;

  constructor(path: string, sizeMiB: number) {
    this.path = path;
    this.#ballast = join(path, "ballast");
    mkdirSync(path, { recursive: true });
    run("mount", "-t", "tmpfs", "-o", `size=${sizeMiB}m,mode=0700`, "odorobo-faults", path);
  }

  /** To the last block, but for so many bytes. False when nobody can write there. */
  fill(leaveBytes = 0): boolean {
    if (this.isReadOnly) return false;
    const file = openSync(this.#ballast, "a", 0o600);
    try {
      for (let size = 1 << 20; size >= 4096; size >>= 1) fillWith(file, Buffer.alloc(size));
      if (leaveBytes > 0) ftruncateSync(file, Math.max(0, fstatSync(file).size - leaveBytes));
    } finally {
      closeSync(file);
    }
    return true;
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** False when somebody has a file open for writing there: the kernel refuses it then. */
  makeReadOnly(): boolean {
    this.isReadOnly = spawnSync("mount", ["-o", "remount,ro", this.path]).status === 0;
    return this.isReadOnly;
  }

  makeWritable(): void {
    if (this.isReadOnly) run("mount", "-o", "remount,rw", this.path);
    this.isReadOnly = false;
  }

  unmount(): void {
    run("umount", this.path);
  }
}

function fillWith(file: number, bytes: Buffer): void {
  try {
    for (;;) if (writeSync(file, bytes) < bytes.length) return;
  } catch (error) {
    if (!isErrno(error, "ENOSPC")) throw error;
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}
