/**
 * That no disk vanishes which nobody purged, and that none loses a byte: whatever disk shows up is written a mark into, and
 * is looked for ever after.
 */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

interface Kept {
  readonly vm: string;
  readonly inode: number;
  /** Null: a rehearsed disk is a note, and the agent's. */
  readonly mark: string | null;
}

export class KeptDisks {
  readonly #kept = new Map<string, Kept>();

  get count(): number {
    return this.#kept.size;
  }

  /** Notes new disks, and says what is wrong with the known ones. */
  look(dataFolder: string): string[] {
    const wrong = [...this.#kept].filter(([path]) => path.startsWith(`${dataFolder}/`)).flatMap(complaint);
    for (const { vm, path } of disksIn(dataFolder)) if (!this.#kept.has(path)) this.#note(vm, path);
    return wrong;
  }

  /** Somebody had the VM's tombstone purged, or tried to. */
  forget(dataFolder: string, vm: string): void {
    for (const path of this.#kept.keys())
      if (path.startsWith(`${join(dataFolder, "vms", vm)}/`)) this.#kept.delete(path);
  }

  #note(vm: string, path: string): void {
    try {
      const mark = path.endsWith(".raw") ? `precious ${path} ${this.#kept.size}` : null;
      if (mark !== null) writeAt(path, mark);
      this.#kept.set(path, { vm, inode: statSync(path).ino, mark });
    } catch {
      // No room for the mark, or just being made: noted when it is looked at next.
    }
  }
}

function complaint([path, { inode, mark }]: [string, Kept]): string[] {
  if (!existsSync(path)) return [`the disk ${path} is gone, and nobody purged it`];
  if (mark === null) return [];
  if (statSync(path).ino !== inode) return [`the disk ${path} is another file than it was`];
  return readAt(path, Buffer.byteLength(mark)) === mark ? [] : [`the disk ${path} has lost its bytes`];
}

function disksIn(dataFolder: string): { readonly vm: string; readonly path: string }[] {
  const vms = join(dataFolder, "vms");
  if (!existsSync(vms)) return [];
  return readdirSync(vms).flatMap((vm) => {
    const folder = join(vms, vm, "disks");
    const files = existsSync(folder) ? readdirSync(folder) : [];
    return files.filter((file) => /\.(raw|placeholder)$/.test(file)).map((file) => ({ vm, path: join(folder, file) }));
  });
}

function writeAt(path: string, text: string): void {
  const file = openSync(path, "r+");
  try {
    writeSync(file, text, 512);
  } finally {
    closeSync(file);
  }
}

function readAt(path: string, bytes: number): string {
  const file = openSync(path, "r");
  try {
    const read = Buffer.alloc(bytes);
    readSync(file, read, 0, bytes, 512);
    return read.toString();
  } finally {
    closeSync(file);
  }
}
