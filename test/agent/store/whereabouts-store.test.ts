import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openWhereaboutsStore } from "../../../src/agent/store/whereabouts-store.ts";
import { instant, nodeName, type VmName } from "../../../src/model/names.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aClock } from "../../support/a-clock.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const clock = aClock("2026-01-01T12:00:00.000Z");

const told = (hour: number, home: string, fleet = "shop") => ({
  fleet,
  at: instant(`2026-01-01T${String(hour).padStart(2, "0")}:00:00.000Z`),
  homes: { ["web-1" as VmName]: nodeName(home) },
});

test("the latest of each fleet is kept, and known again after a restart", async () => {
  await using folder = await aTempFolder();
  const store = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  await Promise.all([store.keep(told(2, "n2")), store.keep(told(1, "n1")), store.keep(told(1, "n1", "lab"))]);
  expect(store.all()).toEqual([told(1, "n1", "lab"), told(2, "n2")]);
  const again = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  expect(again.all()).toEqual(store.all());
});

test("a file cut in half is as good as none, and the next word replaces it", async () => {
  await using folder = await aTempFolder();
  const store = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  await store.keep(told(1, "n1"));
  const file = join(folder.path, "fleets", "shop.json");
  const whole = await readFile(file, "utf8");
  await writeFile(file, whole.slice(0, whole.length / 2));
  const again = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  expect(again.all()).toEqual([]);
  await again.keep(told(1, "n2"));
  expect(again.all()).toEqual([told(1, "n2")]);
});

test("what cannot be written is said, and what was known stands", async () => {
  await using folder = await aTempFolder();
  const store = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  await store.keep(told(1, "n1"));
  await rm(join(folder.path, "fleets"), { recursive: true });
  await expect(store.keep(told(2, "n2"))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  expect(store.all()).toEqual([told(1, "n1")]);
});

test("a caller whose clock is a day ahead is believed, and the next one too", async () => {
  await using folder = await aTempFolder();
  const store = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  const tomorrow = (home: string) => ({ ...told(1, home), at: instant("2026-01-02T12:00:00.000Z") });
  const homes = () => store.all().map((each) => each.homes["web-1" as VmName]);
  // One that knows no serials yet, and one that does.
  await store.keep(tomorrow("n1"));
  await store.keep({ ...told(11, "n2"), serial: 1 });
  expect(homes()).toEqual(["n2"]);
  await store.keep({ ...tomorrow("n3"), serial: 2 });
  await store.keep({ ...told(11, "n4"), serial: 3 });
  expect(homes()).toEqual(["n4"]);
  // What is older came late; what knows no serials goes by its time, and gets the next one.
  await store.keep({ ...tomorrow("n5"), serial: 2 });
  expect(homes()).toEqual(["n4"]);
  await store.keep(told(10, "n6"));
  expect(homes()).toEqual(["n4"]);
  await store.keep(told(12, "n7"));
  await store.keep({ ...told(11, "n8"), serial: 5 });
  expect(homes()).toEqual(["n8"]);
});

test("a note from the future that an earlier agent took is no longer ahead of everybody", async () => {
  await using folder = await aTempFolder();
  const first = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  await first.keep(told(1, "n1"));
  const file = join(folder.path, "fleets", "shop.json");
  await writeFile(file, JSON.stringify({ ...told(1, "n1"), at: "2026-01-02T12:00:00.000Z" }));
  const store = await openWhereaboutsStore(folder.path, { clock, logger: silentLogger });
  await store.keep({ ...told(11, "n2"), at: instant("2026-01-01T12:30:00.000Z") });
  expect(store.all()).toMatchObject([{ homes: { "web-1": "n2" } }]);
});
