/** A full disk that takes what must be written all the same, on a small file system of its own. */
import { link, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openReserve } from "../../../src/agent/store/reserve.ts";
import { writeFileAtomically } from "../../../src/platform/atomic-write.ts";
import { aSmallDisk } from "../../support/a-small-disk.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

describe.runIf(requires("a reserve on a full disk", "mounts"))("a full disk", () => {
  test("takes as many writes as there are, while others take every byte that gets free", async () => {
    await using folder = await aTempFolder();
    await using disk = await aSmallDisk(folder.path);
    await using reserve = await openReserve(disk.path);
    const path = join(disk.path, "record.json");
    await writeFile(path, text(0, 100));
    await reserve.refill();
    for (let turn = 1; turn <= 200; turn++) {
      await disk.fill();
      await expect(writeFileAtomically(path, text(turn, 5_000))).rejects.toMatchObject({ code: "ENOSPC" });
      await reserve.write(path, text(turn, 100 + turn * 50));
      expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ turn });
    }
    expect(await readdir(join(disk.path, "reserve"))).not.toEqual([]);
  });

  test("takes what is larger than a piece by giving up others, then says that it is full; with room it is made anew", async () => {
    await using folder = await aTempFolder();
    await using disk = await aSmallDisk(folder.path);
    await using reserve = await openReserve(disk.path);
    const path = join(disk.path, "record.json");
    await writeFile(path, text(0, 100));
    await reserve.refill();
    await disk.fill();
    await reserve.write(path, text(1, 150_000));
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ turn: 1 });
    await disk.fill();
    await expect(reserve.write(path, text(2, 400_000))).rejects.toMatchObject({ code: "ENOSPC" });
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ turn: 1 });
    await disk.empty();
    await reserve.refill();
    await disk.fill();
    await reserve.write(path, text(3, 150_000));
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ turn: 3 });
  });

  test("a file that was written this way is as long as before once it is written with room", async () => {
    await using folder = await aTempFolder();
    await using disk = await aSmallDisk(folder.path);
    await using reserve = await openReserve(disk.path);
    const path = join(disk.path, "record.json");
    await writeFile(path, text(0, 100));
    await reserve.refill();
    await disk.fill();
    await reserve.write(path, text(1, 100));
    expect((await stat(path)).size).toBe(16 * 1024);
    await disk.empty();
    await writeFileAtomically(path, text(2, 100));
    expect((await stat(path)).size).toBeLessThan(300);
  });
});

test("a piece that is somebody's file, too, is left alone: the agent died between two names", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "record.json");
  await writeFile(path, text(1, 100));
  await mkdir(join(folder.path, "reserve"));
  await link(path, join(folder.path, "reserve/7"));
  await using reserve = await openReserve(folder.path);
  await expect(reserve.write(join(folder.path, "other.json"), text(2, 100))).rejects.toMatchObject({ code: "ENOSPC" });
  expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ turn: 1 });
  expect(await readdir(join(folder.path, "reserve"))).toEqual([]);
});

test("many who write at once take turns, each whole", async () => {
  await using folder = await aTempFolder();
  await using reserve = await openReserve(folder.path);
  await reserve.refill();
  const paths = Array.from({ length: 20 }, (_, index) => join(folder.path, `${index}.json`));
  await Promise.all(paths.map((path) => writeFile(path, text(0, 100))));
  await Promise.all(paths.flatMap((path) => [1, 2, 3].map((turn) => reserve.write(path, text(turn, 1_000 * turn)))));
  for (const path of paths) expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ turn: 3 });
});

test("a disk that fails otherwise uses nothing up", async () => {
  await using folder = await aTempFolder();
  await using reserve = await openReserve(folder.path);
  await reserve.refill();
  await expect(reserve.write(join(folder.path, "none/record.json"), text(1, 10))).rejects.toMatchObject({
    code: "ENOENT",
  });
  expect(await readdir(join(folder.path, "reserve"))).toHaveLength(6);
});

const text = (turn: number, length: number): string => JSON.stringify({ turn, filler: "x".repeat(length) });
