/** How long things took: the last three of each kind, of no more VMs than are worth it, over restarts, and never in anybody's way. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openHistoryStore } from "../../../src/agent/store/history-store.ts";
import { joinHistories, type MoveSample, medianOf } from "../../../src/model/history.ts";
import { type Instant, instant, vmName } from "../../../src/model/names.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { findAnswerError } from "../../../src/wire/check-shape.ts";
import { aFleet } from "../../support/a-fleet.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const at = (minute: number): Instant => instant(new Date(Date.UTC(2026, 0, 1, 12, minute)).toISOString());
const boot = (minute: number, seconds: number) => ({ boots: { at: at(minute), seconds } });
const move = (minute: number, over: Partial<MoveSample> = {}): { readonly moves: MoveSample } => ({
  moves: { at: at(minute), seconds: 1, mode: "live", sentMiB: 64, downtimeMs: 7, memoryMiB: 256, ...over },
});
const [a, b] = [vmName("a"), vmName("b")];
const open = (folder: string) => openHistoryStore(folder, { logger: silentLogger, writeAfterMs: 60_000 });

test("the last three of each kind are there after a restart, too, as a report may say them", async () => {
  await using folder = await aTempFolder();
  const store = await open(folder.path);
  for (const minute of [1, 2, 3, 4, 5]) store.note(b, boot(minute, minute));
  store.note(a, move(6));
  store.note(a, { stops: { at: at(7), seconds: 2 } });
  expect(store.all()).toEqual([
    { name: a, ...{ moves: [move(6).moves], stops: [{ at: at(7), seconds: 2 }] } },
    { name: b, boots: [3, 4, 5].map((minute) => boot(minute, minute).boots) },
  ]);
  await store[Symbol.asyncDispose]();
  const again = await open(folder.path);
  expect(again.all()).toEqual(store.all());
  const fleet = aFleet().node("n1");
  const [node] = fleet.empty().observed().nodes;
  if (node?.reach !== "answered") throw new Error("n1 answers");
  expect(findAnswerError("node-report", { ...node.report, history: again.all() })).toBeNull();
});

test("of a thousand VMs and one, the one that was not heard of for longest is forgotten", async () => {
  await using folder = await aTempFolder();
  const store = await open(folder.path);
  for (let index = 0; index <= 1_000; index++) store.note(vmName(`vm-${index}`), boot(1, 1));
  store.note(vmName("vm-1"), boot(2, 1));
  store.note(vmName("more"), boot(2, 1));
  const names = new Set(store.all().map(({ name }) => `${name}`));
  expect([names.size, names.has("vm-0"), names.has("vm-1"), names.has("vm-2")]).toEqual([1_000, false, true, false]);
});

test.each(["", "{", "[1]", '[{"name":"a","boots":[{"at":1}]}]', '{"a":[]}'])(
  "a file that says %j is begun anew",
  async (text) => {
    await using folder = await aTempFolder();
    await writeFile(join(folder.path, "history.json"), text);
    const store = await open(folder.path);
    expect(store.all()).toEqual([]);
    store.note(a, boot(1, 1));
    await store[Symbol.asyncDispose]();
    expect(JSON.parse(await readFile(join(folder.path, "history.json"), "utf8"))).toHaveLength(1);
  },
);

test("what cannot be written is nobody's failure", async () => {
  const store = await open("/nonexistent");
  store.note(a, boot(1, 1));
  await store[Symbol.asyncDispose]();
  expect(store.all()).toHaveLength(1);
});

test("several nodes remember of the same guest: the latest count, in the order of time", () => {
  const joined = joinHistories([
    [{ name: a, moves: [move(1).moves, move(4).moves] }],
    [{ name: a, moves: [move(2).moves, move(3).moves], boots: [boot(9, 9).boots] }],
    [{ name: b }],
  ]);
  expect(joined.get(a)?.moves?.map((each) => each.at)).toEqual([at(2), at(3), at(4)]);
  expect(joined.get(a)?.boots).toHaveLength(1);
});

test("the middle one, of two the larger", () => {
  expect([medianOf([]), medianOf([5]), medianOf([9, 1]), medianOf([100, 1, 3])]).toEqual([null, 5, 9, 3]);
});
