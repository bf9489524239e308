/**
 * Locks on disk images between doubles on one machine, as the real one's OFD locks: held by the process, gone with it,
 * readers together, a writer alone. Node cannot set such locks, so each is an abstract Unix socket named after the file's
 * inode: the kernel lets one process bind a name, and frees it when the process ends however it ends.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";

export interface DiskLock {
  release(): Promise<void>;
}

let serial = 0;

/** Null: someone else holds a lock that forbids it. Not atomic between a first reader and a first writer: tests do not race there. */
export async function lockDisk(identity: string, mode: "Read" | "Write"): Promise<DiskLock | null> {
  const name = `chd-lock:${identity}`;
  const holders = boundNames().filter((each) => each.startsWith(`${name}:`));
  const writer = `${name}:write`;
  if (mode === "Write") return holders.length === 0 ? bind(writer) : null;
  return holders.includes(writer) ? null : bind(`${name}:read:${process.pid}:${serial++}`);
}

function bind(name: string): Promise<DiskLock | null> {
  return new Promise((resolve) => {
    const server: Server = createServer();
    server.once("error", () => resolve(null));
    server.listen(`\0${name}`, () => {
      server.unref();
      resolve({ release: () => new Promise((closed) => server.close(() => closed())) });
    });
  });
}

/** Abstract names begin with @ there. */
function boundNames(): string[] {
  const lines = readFileSync("/proc/net/unix", "utf8").split("\n");
  return lines.map((line) => / @(.*)$/.exec(line)?.[1] ?? "").filter((name) => name !== "");
}
