/** What is kept on disk between commands never shows in a plan: warm, cold, foreign, torn, or of another odorobo. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cacheFolder } from "../../src/platform/cache-folder.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { planFleet } from "../../src/turn/plan-fleet.ts";
import { applyPlan } from "../../src/turn/runs/apply-plan.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import "../support/own-cache.ts";

vi.setConfig({ testTimeout: 120_000 });

const NEVER = new AbortController().signal;
let fleet: LiveFleet;

beforeAll(async () => {
  fleet = await aLiveFleet("n1", "n2");
  for (const n of [1, 2, 3, 4]) await fleet.vm(`web-${n}`);
  await using planned = await plan();
  await applyPlan({
    ...planned,
    desired: planned.fleet.desired,
    clock: systemClock,
    parallelism: null,
    signal: NEVER,
    hardSignal: NEVER,
    onEvent: () => {},
  });
});
afterAll(() => fleet[Symbol.asyncDispose]());

const plan = () =>
  planFleet(
    {
      location: { kind: "folder", path: fleet.folder },
      access: {},
      selection: null,
      allowances: { maxClass: null, allowDestroy: 10 },
      clock: systemClock,
    },
    NEVER,
  );

async function planText(): Promise<string> {
  await using planned = await plan();
  return JSON.stringify({ ...planned.plan, base: { ...planned.plan.base, observedAt: null } });
}

const keptFiles = (): string[] =>
  readdirSync(cacheFolder(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** What befalls a file of the caches; `others`: what it may be mistaken for. */
const MISHAPS: Readonly<Record<string, (file: string, at: number, others: readonly string[]) => void>> = {
  none: () => {},
  gone: (file) => rmSync(file, { force: true }),
  empty: (file) => writeFileSync(file, ""),
  torn: (file, at) => writeFileSync(file, readFileSync(file).subarray(0, at % readFileSync(file).length)),
  flipped(file, at) {
    const bytes = readFileSync(file);
    bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ (1 << (at % 8));
    writeFileSync(file, bytes);
  },
  foreign: (file, at, others) => writeFileSync(file, readFileSync(others[at % others.length] ?? file)),
  "of another odorobo": (file) => writeFileSync(file, `another ${readFileSync(file, "latin1")}`, "latin1"),
};

const anyMishap = fc.record({ file: fc.nat(), at: fc.nat(), mishap: fc.constantFrom(...Object.keys(MISHAPS)) });

/** As people and guests go on: what a plan is about changes, too. */
const anyManifest = fc.constantFrom(
  [],
  ["cpus: 2"],
  ["protect: true"],
  ["cpus: { count: 1, max: 4 }"],
  ["runStrategy: Stopped"],
  // Only the yaml library reads these.
  ["cpus: &two 2", "protect: &no false"],
);

test("a plan is what it would be without caches, whatever befell them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(anyMishap, anyManifest), { minLength: 1, maxLength: 4 }), async (events) => {
      for (const [{ file, at, mishap }, spec] of events) {
        await fleet.vm("web-2", spec);
        const files = keptFiles();
        const hit = files[file % files.length];
        if (hit !== undefined) MISHAPS[mishap]?.(hit, at, files);
        const texts = [await planText(), await planText()];
        await rm(cacheFolder(), { recursive: true });
        await mkdir(cacheFolder(), { recursive: true });
        const cold = await planText();
        expect(texts).toEqual([cold, cold]);
      }
    }),
    { numRuns: 25 },
  );
});

test("commands at the same time get the same plan", async () => {
  const cold = await planText();
  expect(await Promise.all(Array.from({ length: 8 }, planText))).toEqual(Array(8).fill(cold));
  expect(keptFiles().filter((file) => file.endsWith(".tmp"))).toEqual([]);
});

test("a folder that cannot be written to is no hindrance", async () => {
  const warm = await planText();
  await rm(cacheFolder(), { recursive: true });
  await writeFile(cacheFolder(), "not a folder");
  try {
    expect(await planText()).toBe(warm);
  } finally {
    await rm(cacheFolder());
  }
});
