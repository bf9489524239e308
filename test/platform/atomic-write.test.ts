import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeFileAtomically } from "../../src/platform/atomic-write.ts";
import { aTempFolder } from "../support/temp-folder.ts";

test("what a crash left beside the file is no obstacle", async () => {
  await using temp = await aTempFolder();
  const folder = temp.path;
  const path = join(folder, "record.json");
  await writeFile(path, "old");
  await writeFile(`${path}.tmp`, "half of the n", { mode: 0o644 });
  await writeFileAtomically(path, "new");
  expect(await readFile(path, "utf8")).toBe("new");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(["record.json"]);
});

test("a link in its way is replaced, and what it leads to stays as it is", async () => {
  await using temp = await aTempFolder();
  const folder = temp.path;
  const path = join(folder, "seed.img");
  await writeFile(join(folder, "elsewhere"), "somebody else's");
  await symlink("elsewhere", `${path}.tmp`);
  await writeFileAtomically(path, "ours");
  expect(await readFile(join(folder, "elsewhere"), "utf8")).toBe("somebody else's");
  expect((await lstat(path)).isSymbolicLink()).toBe(false);
});

test("what cannot be put in place leaves nothing beside it, and says the first reason", async () => {
  await using temp = await aTempFolder();
  const folder = temp.path;
  const path = join(folder, "taken");
  await mkdir(join(path, "by-a-folder"), { recursive: true });
  await expect(writeFileAtomically(path, "x")).rejects.toMatchObject({ code: "EISDIR" });
  expect(await readdir(folder)).toEqual(["taken"]);
});
