import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openWhereaboutsStore } from "../../../src/agent/store/whereabouts-store.ts";
import { instant, nodeName, type VmName } from "../../../src/model/names.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const told = (hour: number, home: string, fleet = "shop") => ({
  fleet,
  at: instant(`2026-01-01T${String(hour).padStart(2, "0")}:00:00.000Z`),
  homes: { ["web-1" as VmName]: nodeName(home) },
});

test("the latest of each fleet is kept, and known again after a restart", async () => {
  await using folder = await aTempFolder();
  const store = await openWhereaboutsStore(folder.path, silentLogger);
  await Promise.all([store.keep(told(2, "n2")), store.keep(told(1, "n1")), store.keep(told(1, "n1", "lab"))]);
  expect(store.all()).toEqual([told(1, "n1", "lab"), told(2, "n2")]);
  const again = await openWhereaboutsStore(folder.path, silentLogger);
  expect(again.all()).toEqual(store.all());
});

test("a file cut in half is as good as none, and the next word replaces it", async () => {
  await using folder = await aTempFolder();
  const store = await openWhereaboutsStore(folder.path, silentLogger);
  await store.keep(told(1, "n1"));
  const file = join(folder.path, "fleets", "shop.json");
  const whole = await readFile(file, "utf8");
  await writeFile(file, whole.slice(0, whole.length / 2));
  const again = await openWhereaboutsStore(folder.path, silentLogger);
  expect(again.all()).toEqual([]);
  await again.keep(told(1, "n2"));
  expect(again.all()).toEqual([told(1, "n2")]);
});

test("what cannot be written is said, and what was known stands", async () => {
  await using folder = await aTempFolder();
  const store = await openWhereaboutsStore(folder.path, silentLogger);
  await store.keep(told(1, "n1"));
  await rm(join(folder.path, "fleets"), { recursive: true });
  await expect(store.keep(told(2, "n2"))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  expect(store.all()).toEqual([told(1, "n1")]);
});
