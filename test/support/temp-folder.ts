/** A folder of the test's own, with a short path (Unix sockets allow 107 bytes), gone at the end. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `inMemory`: for tests that make thousands of files durable and do not care; where there is no such place, like the others. */
export async function aTempFolder(
  options: { readonly inMemory?: boolean } = {},
): Promise<AsyncDisposable & { readonly path: string }> {
  const root = options.inMemory && existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const path = await mkdtemp(join(root, "odo-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
