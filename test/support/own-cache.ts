/** Imported for what it does: what this test file's commands cache goes to a folder of its own, and is gone afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const before = process.env.XDG_CACHE_HOME;
const folder = mkdtempSync(join(tmpdir(), "odo-"));
process.env.XDG_CACHE_HOME = folder;

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
});
