/**
 * Before all tests: builds the command as it is installed, once for the same sources. Tests that start it as a process
 * start what users start, and in less than half the time of the sources.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, digestOfSources } from "../../scripts/build.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const KEPT = join(ROOT, "node_modules/.cache/odorobo");
/** Agents and loops that tests kill, each a program of its own. */
const PROGRAMS = {
  "agent-to-kill": "test/support/agent-to-kill.ts",
  "loop-to-kill": "test/support/loop-to-kill.ts",
  "moving-agent": "test/support/moving-agent.ts",
  "systemd-agent-to-kill": "test/support/systemd-agent-to-kill.ts",
};
const A_DAY_MS = 86_400_000;

/** For vitest. */
export async function setup(): Promise<void> {
  // Of every process that a test starts: most of a short one's time is reading its own text, which is compiled once.
  process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "node-compile-cache");
  process.env.ODOROBO_TEST_COMMAND = await buildCommand();
}

let built: Promise<string> | null = null;

/** Returns the path of its `bin/run.js`. Built once in a process. */
export function buildCommand(): Promise<string> {
  built ??= findOrBuild();
  return built;
}

async function findOrBuild(): Promise<string> {
  const folder = join(KEPT, digestOfAll().slice(0, 16));
  if (!existsSync(folder)) await make(folder);
  for (const other of readdirSync(KEPT).map((name) => join(KEPT, name)))
    if (other !== folder && statSync(other).mtimeMs < Date.now() - A_DAY_MS) rmSync(other, { recursive: true });
  return join(folder, "bin/run.js");
}

function digestOfAll(): string {
  const digest = createHash("sha256").update(digestOfSources());
  const support = join(ROOT, "test/support");
  for (const file of readdirSync(support)
    .filter((name) => name.endsWith(".ts"))
    .sort())
    digest.update(readFileSync(join(support, file)));
  return digest.digest("hex");
}

/** Made aside and put in its place whole: another run may build the same. */
async function make(folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  const aside = mkdtempSync(`${folder}-`);
  // Guests read from it that run as a user of their own.
  chmodSync(aside, 0o755);
  for (const part of ["bin", "guest", "package.json"]) cpSync(join(ROOT, part), join(aside, part), { recursive: true });
  for (const part of ["schemas", "examples"]) symlinkSync(join(ROOT, part), join(aside, part));
  await build(join(aside, "dist"), PROGRAMS);
  try {
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}
