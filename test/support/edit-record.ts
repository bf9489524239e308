/** Changes a VM's record on disk as an agent of earlier days would have written it: without a checksum. */
import { readFile, writeFile } from "node:fs/promises";

/** `undefined` takes a field away. */
export async function editRecord(path: string, change: object): Promise<void> {
  const record = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...record, ...change }));
}
