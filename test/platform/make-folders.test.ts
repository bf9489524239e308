import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFolders } from "../../src/platform/make-folders.ts";
import { aSmallDisk } from "../support/a-small-disk.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";

test("a folder is made with all above it, for its owner alone; what is there stays", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "a/b/c");
  expect(await makeFolders(path)).toBe(join(folder.path, "a"));
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect(await makeFolders(path)).toBeUndefined();
});

test("a file in the way is told as what it is", async () => {
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "a"), "");
  await expect(makeFolders(join(folder.path, "a/b"))).rejects.toMatchObject({ code: "ENOTDIR" });
  await expect(makeFolders(join(folder.path, "a"))).rejects.toMatchObject({ code: "EEXIST" });
});

describe.runIf(requires("folders on a read-only disk", "mounts"))("on a read-only disk", () => {
  test.each(["a", "a/b", "there/a"])("%s is refused as read-only, and not as missing", async (path) => {
    await using folder = await aTempFolder();
    await using disk = await aSmallDisk(folder.path);
    await mkdir(join(disk.path, "there"));
    await disk.remount("ro");
    await expect(makeFolders(join(disk.path, path))).rejects.toMatchObject({ code: "EROFS" });
    expect(await makeFolders(join(disk.path, "there"))).toBeUndefined();
  });
});
