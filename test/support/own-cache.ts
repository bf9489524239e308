/** Imported for what it does: what this test file's commands cache and keep of runs goes to a folder of its own, and is gone afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const VARIABLES = ["XDG_CACHE_HOME", "XDG_STATE_HOME"] as const;
const before = VARIABLES.map((name) => [name, process.env[name]] as const);
const folder = mkdtempSync(join(tmpdir(), "odo-"));
for (const name of VARIABLES) process.env[name] = folder;

const end = () => {
  rmSync(folder, { recursive: true, force: true });
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
};
// `npm run faults` has no test file that ends.
if (process.env.VITEST === undefined) process.on("exit", end);
else (await import("vitest")).afterAll(end);
