/**
 * `npm test`: runs everything this machine can run, then says what was left out and the one line that would add it.
 *
 *   npm test                           all
 *   npm test -- test/reconcile         a part, as vitest takes it
 *   npm test -- --nothing-left-out     fails when something had to be left out (CI), but for what nobody must have
 *   npm test -- --whole                also what repeats stories with other seeds and other guests
 *   npm test -- --packages             only prints the Debian packages that the tests use
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ALL_PACKAGES, type LeftOut } from "./support/requirements.ts";

interface VitestResult {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly success: boolean;
}

const args = process.argv.slice(2);
const flag = (name: string): boolean => {
  const index = args.indexOf(name);
  if (index >= 0) args.splice(index, 1);
  return index >= 0;
};

if (flag("--whole")) process.env.ODOROBO_TEST_WHOLE = "1";
if (flag("--packages")) {
  console.log(ALL_PACKAGES.join(" "));
} else {
  process.exitCode = await run(flag("--nothing-left-out"));
}

async function run(nothingLeftOut: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "odt-"));
  try {
    const skips = join(folder, "skips");
    const results = join(folder, "results.json");
    const vitest = join(import.meta.dirname, "../node_modules/vitest/vitest.mjs");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
    const code = await waitFor(process.execPath, [vitest, "run", ...reporters, ...args], { ODOROBO_TEST_SKIPS: skips });
    const left = readLeftOut(skips);
    printLeftOut(left);
    if (!existsSync(results)) return code === 0 ? 1 : code;
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
      readFileSync(results, "utf8"),
    ) as VitestResult;
    console.log(`tests: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
    if (nothingLeftOut && left.some((each) => !each.isOptional)) {
      console.log("failed: nothing was to be left out");
      return 1;
    }
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function waitFor(
  command: string,
  commandArgs: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArgs, { stdio: "inherit", env: { ...process.env, ...env } });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

function readLeftOut(file: string): LeftOut[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const unique = [...new Set(lines)].sort();
  return unique.map((line) => JSON.parse(line) as LeftOut);
}

function printLeftOut(left: readonly LeftOut[]): void {
  if (left.length === 0) {
    console.log("nothing was left out");
    return;
  }
  console.log("\nleft out on this machine:");
  for (const { what, missing, isOptional } of left) {
    console.log(`  - ${what} (needs ${missing.join(", ")}${isOptional ? "; nobody must have that" : ""})`);
  }
  const packages = [...new Set(left.flatMap((each) => each.packages))].sort();
  if (packages.length > 0)
    console.log(`to run them too: apt-get install -y --no-install-recommends ${packages.join(" ")}`);
}
