/** An error as the API tells it: an array of strings, the outermost first, and a status that depends on the release. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Release } from "./release.ts";

export type RefusalKind =
  | "no VM"
  | "unknown device"
  | "invalid config"
  | "not unique"
  | "vCPU removal pending"
  | "bad request"
  | "not found"
  | "other";

export class Refusal extends Error {
  readonly kind: RefusalKind;
  readonly chain: readonly string[];
  constructor(kind: RefusalKind, ...chain: readonly string[]) {
    super(chain.join(": "));
    this.kind = kind;
    this.chain = chain;
  }
}

/** The VMM thread itself failed: the process ends with exit code 1. `told` is what a caller who waits still gets. */
export class Panic extends Error {}

/** Runs it, and puts `outer` in front of the chain of what it refuses. */
export function within<T>(outer: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw wrapped(outer, error);
  }
}

export async function withinAsync<T>(outer: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw wrapped(outer, error);
  }
}

function wrapped(outer: string, error: unknown): unknown {
  return error instanceof Refusal ? new Refusal(error.kind, outer, ...error.chain) : error;
}

export function statusOf(kind: RefusalKind, release: Release): number {
  switch (kind) {
    case "bad request":
      return 400;
    case "not found":
      return 404;
    case "vCPU removal pending":
      return 429;
    case "no VM":
      return release.statuses === "blunt" ? 500 : 404;
    case "unknown device":
      return release.statuses === "classified" ? 404 : 500;
    case "invalid config":
      return release.statuses === "classified" ? 400 : 500;
    case "not unique":
      return release.statuses === "classified" ? 409 : 500;
    case "other":
      return 500;
  }
}

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  EPERM: "Operation not permitted (os error 1)",
  ENOENT: "No such file or directory (os error 2)",
  ENXIO: "No such device or address (os error 6)",
  EACCES: "Permission denied (os error 13)",
  EEXIST: "File exists (os error 17)",
  ENOTDIR: "Not a directory (os error 20)",
  EISDIR: "Is a directory (os error 21)",
  EINVAL: "Invalid argument (os error 22)",
  ENOSPC: "No space left on device (os error 28)",
  EROFS: "Read-only file system (os error 30)",
  EADDRINUSE: "Address already in use (os error 98)",
  EADDRNOTAVAIL: "Cannot assign requested address (os error 99)",
  ECONNREFUSED: "Connection refused (os error 111)",
};

/** Of a Unix socket that could not be bound: libuv says EACCES where the folder does not exist. */
export function bindText(error: unknown, path: string): string {
  return existsSync(dirname(path)) ? ioText(error) : (ERRNO_TEXTS.ENOENT ?? "");
}

/** As Rust prints an I/O error. */
export function ioText(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return ERRNO_TEXTS[code] ?? (error instanceof Error ? error.message : String(error));
}
