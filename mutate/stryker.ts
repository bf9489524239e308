/** Stryker 10 in a scratch tree: which mutants it knows of, and what becomes of those in the chosen places. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { Candidate } from "./choose-places.ts";
import type { MutationReport } from "./findings.ts";

/** Words are no behaviour. */
const EXCLUDED = ["StringLiteral"];

interface Instrumenter {
  instrument(
    files: readonly { readonly name: string; readonly mutate: true; readonly content: string }[],
    options: object,
  ): Promise<{ readonly mutants: readonly (Candidate & { readonly status?: string })[] }>;
}

/** `files` relative to the tree. */
export async function listCandidates(tree: string, files: readonly string[]): Promise<readonly Candidate[]> {
  const path = join(tree, "node_modules/@stryker-mutator/instrumenter/dist/src/index.js");
  const module = (await import(pathToFileURL(path).href)) as { Instrumenter: new (log: object) => Instrumenter };
  const says = () => undefined;
  const log = { isDebugEnabled: () => false, debug: says, info: says, warn: says, trace: says };
  const { mutants } = await new module.Instrumenter(log).instrument(
    files.map((name) => ({ name, mutate: true, content: readFileSync(join(tree, name), "utf8") })),
    { plugins: null, excludedMutations: EXCLUDED, ignorers: [] },
  );
  return mutants.filter((each) => each.status === undefined);
}

/** Test files that fail though nothing was changed: they count what came of more draws than these. Relative to the tree. */
export function findUnfit(tree: string): string[] {
  const vitest = join(tree, "node_modules/vitest/vitest.mjs");
  const results = join(tree, "unfit.json");
  const args = [vitest, "run", "--config=mutate/vitest.config.ts", "--reporter=json", `--outputFile=${results}`];
  spawnSync(process.execPath, args, { cwd: tree, stdio: ["ignore", 2, 2] });
  const { testResults } = JSON.parse(readFileSync(results, "utf8")) as {
    testResults: { name: string; status: string }[];
  };
  return testResults.filter(({ status }) => status !== "passed").map(({ name }) => relative(tree, name));
}

/** What Stryker says meanwhile goes to this process's stderr. */
export async function runStryker(
  tree: string,
  places: readonly string[],
  without: readonly string[],
  signal: AbortSignal,
): Promise<MutationReport> {
  const config = {
    mutate: places,
    mutator: { excludedMutations: EXCLUDED },
    testRunner: "vitest",
    plugins: ["@stryker-mutator/vitest-runner"],
    vitest: { configFile: "mutate/vitest.config.ts" },
    coverageAnalysis: "perTest",
    ignoreStatic: true,
    concurrency: 1,
    // The tree is a copy already.
    inPlace: true,
    disableTypeChecks: false,
    // With the project's own its preprocessor would ask TypeScript 7 for an API that it has not.
    tsconfigFile: "no-such-file.json",
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: "mutants.json" },
    // A machine that is busy is slow, not endless.
    timeoutMS: 60_000,
    timeoutFactor: 4,
    dryRunTimeoutMinutes: 30,
  };
  writeFileSync(join(tree, "stryker.json"), JSON.stringify(config));
  const bin = join(tree, "node_modules/@stryker-mutator/core/bin/stryker.js");
  const stryker = spawn(process.execPath, [bin, "run", "stryker.json"], {
    cwd: tree,
    stdio: ["ignore", 2, 2],
    signal,
    env: { ...process.env, ODOROBO_MUTATE_WITHOUT: without.join(":") },
  });
  const [code] = (await once(stryker, "exit")) as [number | null];
  if (code !== 0) throw new Error(`Stryker ended with ${code}`);
  return JSON.parse(readFileSync(join(tree, "mutants.json"), "utf8")) as MutationReport;
}
