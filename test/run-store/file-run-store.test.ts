/** Runs in a folder: what is kept survives whoever wrote it, and who executes is known by the kernel alone. */

import { readFileSync } from "node:fs";
import { appendFile, cp, mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { instant } from "../../src/model/names.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { JournalReader, JournalWriter } from "../../src/run-store/journal-file.ts";
import { NOON } from "../support/a-fleet.ts";
import { aBegunRun } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { aSmallDisk } from "../support/a-small-disk.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const plan = aRunnablePlan().step("createVm", "web-1", "n1").step("createVm", "web-2", "n1").build();
const started = (step: string): RunEvent => ({ event: "step-started", at: NOON, step });
const done = (step: string): RunEvent => ({
  ...{ event: "step-succeeded", at: NOON, step, noop: false, attempts: 1, milliseconds: 5 },
  left: { generation: 1, serial: 2 },
});

let folder: Awaited<ReturnType<typeof aTempFolder>>;
let store: FileRunStore;
beforeEach(async () => {
  folder = await aTempFolder({ inMemory: true });
  store = new FileRunStore(folder.path);
});
afterEach(() => folder[Symbol.asyncDispose]());

const begin = (run: string, over = {}) => store.create(plan, aBegunRun(plan, { run, ...over }));
const journalOf = (run: string) => join(folder.path, "runs", run, "journal.jsonl");

test("what was written down is there for the next, and a line that was cut off never happened", async () => {
  {
    await using claim = await begin("r1");
    claim.append(started("createVm-web-1"));
    claim.append(done("createVm-web-1"));
    expect((await store.find("r1")).isExecuted).toBe(true);
  }
  await appendFile(journalOf("r1"), '{"event":"step-started","at":"2026');
  expect((await store.find("r1")).isExecuted).toBe(false);
  await using claim = (await store.claim("r1"))!;
  expect(claim.plan).toEqual(plan);
  expect([...claim.state().steps.keys()]).toEqual(["createVm-web-1"]);
  claim.append({ event: "paused", at: NOON, by: "me" });
  const lines = (await readFile(journalOf("r1"), "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(["begun", "step-started", "step-succeeded", "paused"]);
});

test("a run is for its owner alone, and every line is as the schema says", async () => {
  await using claim = await begin("r1", {
    origin: { location: { kind: "git", url: "https://x/y", ref: null, path: null } },
  });
  claim.append(started("createVm-web-1"));
  claim.append({
    ...{ event: "step-failed", at: NOON, step: "createVm-web-1", attempts: 1, milliseconds: 1 },
    error: { code: "INTERNAL", message: "x", conflict: { run: "a", step: "b", since: NOON } },
  });
  claim.append({ event: "step-skipped", at: NOON, step: "createVm-web-2", skippedBecause: "x failed" });
  for (const event of ["taken-up", "paused", "resumed", "aborted"] as const)
    claim.append({ event, at: NOON, by: "me" });
  claim.append({ event: "ended", at: NOON, outcome: "failed" });
  expect((await stat(join(folder.path, "runs", "r1"))).mode & 0o777).toBe(0o700);
  for (const file of ["journal.jsonl", "key"])
    expect((await stat(join(folder.path, "runs", "r1", file))).mode & 0o777).toBe(0o600);
  const read = (name: string) =>
    JSON.parse(readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), "utf8"));
  const validate = new Ajv2020({ strict: false, schemas: [read("apply-report")] }).compile(read("run-event"));
  for (const line of (await readFile(journalOf("r1"), "utf8")).trimEnd().split("\n"))
    expect(validate(JSON.parse(line)), `${line}: ${JSON.stringify(validate.errors)}`).toBe(true);
});

test("of many who want to execute a run at once, one does", async () => {
  await (await begin("r1"))[Symbol.asyncDispose]();
  for (let round = 0; round < 5; round++) {
    const claims = await Promise.all(Array.from({ length: 8 }, () => store.claim("r1")));
    const held = claims.filter((claim) => claim !== null);
    expect(held.length).toBe(1);
    await held[0]?.[Symbol.asyncDispose]();
  }
});

test("who looks on is told everything from the beginning, as it happens, until the executor is gone", async () => {
  const claim = await begin("r1");
  claim.append(started("createVm-web-1"));
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const watching = (async () => {
    for await (const event of store.follow("r1", new AbortController().signal)) {
      seen.push(event.event);
      if (event.event === "step-started") first.resolve();
      if (event.event === "step-succeeded") second.resolve();
    }
  })();
  await first.promise;
  claim.append(done("createVm-web-1"));
  await second.promise;
  claim.append({ event: "paused", at: NOON, by: "me" });
  await claim[Symbol.asyncDispose]();
  await watching;
  expect(seen).toEqual(["begun", "step-started", "step-succeeded", "paused"]);
});

test("the executor hears orders and may refuse them; nobody hears them where there is none", async () => {
  const claim = await begin("r1");
  const heard: unknown[] = [];
  // Before it listens: who orders waits.
  const early = store.tell("r1", { kind: "pause", by: "early" });
  claim.onCommand((command) => {
    heard.push(command);
    if (command.kind === "abort") throw new OdoroboError("RUN_OVER", "too late");
  });
  expect(await early).toBe(true);
  expect(await store.tell("r1", { kind: "pause", by: "me" })).toBe(true);
  await expect(store.tell("r1", { kind: "abort", by: "me" })).rejects.toMatchObject({
    code: "RUN_OVER",
    message: "too late",
  });
  expect(heard).toEqual([
    { kind: "pause", by: "early" },
    { kind: "pause", by: "me" },
    { kind: "abort", by: "me" },
  ]);
  await claim[Symbol.asyncDispose]();
  expect(await store.tell("r1", { kind: "pause", by: "me" })).toBe(false);
  // One that goes before it listens leaves nobody waiting.
  const deaf = (await store.claim("r1"))!;
  const unheard = store.tell("r1", { kind: "pause", by: "me" });
  await deaf[Symbol.asyncDispose]();
  expect(await unheard).toBe(false);
});

describe("finding", () => {
  test("by id, by its beginning, and not by what fits several", async () => {
    for (const id of ["20260101-1", "20260102-1", "20260102-2"]) await (await begin(id))[Symbol.asyncDispose]();
    expect((await store.find("20260101")).id).toBe("20260101-1");
    expect((await store.find("20260102-2")).id).toBe("20260102-2");
    for (const [id, message] of [
      ["20260102", "2 runs begin with 20260102"],
      ["x", "there is no run x"],
      ["../runs", "there is no run ../runs"],
    ] as const)
      await expect(store.find(id)).rejects.toMatchObject({
        code: "NOT_FOUND",
        message: expect.stringContaining(message),
      });
    expect((await store.list()).runs.map(({ id }) => id)).toEqual(["20260102-2", "20260102-1", "20260101-1"]);
  });

  test("what cannot be understood is told of, and hides no other", async () => {
    await (await begin("r1"))[Symbol.asyncDispose]();
    await (await begin("r2"))[Symbol.asyncDispose]();
    await (await begin("r3"))[Symbol.asyncDispose]();
    await writeFile(journalOf("r1"), '{"event":"paused","at":"x","by":"me"}\n');
    await writeFile(journalOf("r2"), JSON.stringify({ ...aBegunRun(plan), version: 3, run: "r2" }).concat("\n"));
    await appendFile(journalOf("r3"), "rubbish\n");
    await (await begin("r4"))[Symbol.asyncDispose]();
    const { runs, unreadable } = await store.list();
    expect(runs.map(({ id }) => id)).toEqual(["r4"]);
    expect(unreadable.map(({ id }) => id)).toEqual(["r3", "r2", "r1"]);
    await expect(store.find("r2")).rejects.toMatchObject({
      code: "RUN_UNREADABLE",
      message: expect.stringContaining("version 3"),
    });
    await expect(store.claim("r3")).rejects.toMatchObject({ code: "RUN_UNREADABLE" });
    // A claim that failed holds nothing.
    await expect(store.claim("r3")).rejects.toMatchObject({ code: "RUN_UNREADABLE" });
  });

  test("no folder yet: no runs", async () => {
    expect(await new FileRunStore(join(folder.path, "nowhere")).list()).toEqual({ runs: [], unreadable: [] });
  });
});

test("old runs go, what is executed and what was just paused stays; leftovers of the dead go too", async () => {
  const held = await begin("20251101-held");
  await (await begin("20251101-left"))[Symbol.asyncDispose]();
  const longAgo = new Date("2025-11-01T00:00:00.000Z");
  for (const id of ["20251101-held", "20251101-left"]) await utimes(journalOf(id), longAgo, longAgo);
  const template = await begin("20260101-000");
  template.append({ event: "ended", at: NOON, outcome: "done" });
  await template[Symbol.asyncDispose]();
  const ids = Array.from({ length: 101 }, (_, index) => `20260101-${String(index).padStart(3, "0")}`);
  for (const id of ids.slice(1)) {
    await cp(join(folder.path, "runs", "20260101-000"), join(folder.path, "runs", id), { recursive: true });
    await writeFile(journalOf(id), (await readFile(journalOf("20260101-000"), "utf8")).replace("20260101-000", id));
  }
  await (await begin("20250101-paused"))[Symbol.asyncDispose]();
  await mkdir(join(folder.path, "runs", ".x.gone"));
  await (await begin("20260102", { at: instant(new Date().toISOString()) }))[Symbol.asyncDispose]();
  const kept = await readdir(join(folder.path, "runs"));
  expect(kept).toContain("20251101-held");
  expect(kept).toContain("20250101-paused");
  expect(kept).not.toContain("20251101-left");
  expect(kept).not.toContain(ids[0]);
  expect(kept).toContain(ids.at(-1));
  expect(kept.filter((name) => name.startsWith("."))).toEqual([]);
  await held[Symbol.asyncDispose]();
});

test("a place that cannot be written to is told, with the system's reason", async () => {
  await writeFile(join(folder.path, "file"), "");
  await expect(new FileRunStore(join(folder.path, "file")).create(plan, aBegunRun(plan))).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    hint: expect.stringContaining("--state"),
  });
});

test.runIf(requires("a run whose disk is full", "mounts"))(
  "a journal that could not be written to goes on behind its last whole line when there is room",
  async () => {
    await using disk = await aSmallDisk(folder.path);
    const path = join(disk.path, "journal.jsonl");
    using journal = new JournalWriter(path, null);
    journal.append(started("a"));
    await disk.fill();
    // Of a long line some pages find room yet.
    const long = started("b".repeat(100_000));
    expect(() => {
      for (;;) journal.append(long);
    }).toThrow(expect.objectContaining({ code: "FILE_UNWRITABLE" }));
    await disk.empty();
    journal.append(started("c"));
    const steps = new JournalReader(path).next().map((event) => ("step" in event ? event.step.slice(0, 1) : ""));
    expect(steps.at(0)).toBe("a");
    expect(steps.at(-1)).toBe("c");
  },
);
