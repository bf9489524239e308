/** When a folder is said to have changed: once for each burst, and not while git is at it. */
import { existsSync, rmSync } from "node:fs";
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { watchFolder } from "../../src/source/watch-folder.ts";
import { makeRepository } from "../support/a-repository.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const OPTIONS = { poll: false, rescanMs: 3_600_000 };
const PATIENT = { timeout: 60_000 };

async function watching(path: string) {
  const stop = new AbortController();
  const changes = watchFolder(path, OPTIONS, stop.signal);
  // It says so itself once it looks.
  expect((await changes.next()).value).toMatchObject({ isRescan: true });
  const next = async () => {
    for (;;) {
      const { value } = await changes.next();
      if (value !== undefined && !value.isRescan) return value.what;
    }
  };
  return { next, [Symbol.asyncDispose]: async () => stop.abort() };
}

test("not while git holds the index: half of the folder is of another commit then", PATIENT, async () => {
  await using folder = await aTempFolder();
  await makeRepository(folder.path, { "a.yaml": "a: 1\n" });
  const lock = join(folder.path, ".git/index.lock");
  await using watch = await watching(folder.path);
  await writeFile(lock, "");
  await writeFile(join(folder.path, "a.yaml"), "a: 2\n");
  // Well after it would have been told.
  setTimeout(() => rmSync(lock), 700);
  expect(await watch.next()).toBe("a.yaml");
  expect(existsSync(lock)).toBe(false);
});

test("a link that is swapped, a folder that goes and comes back, and what is in a hidden folder", PATIENT, async () => {
  await using folder = await aTempFolder();
  const at = (name: string) => join(folder.path, name);
  for (const name of ["one", "two"]) await mkdir(join(at(name), ".hidden"), { recursive: true });
  await symlink("one", at("link"));
  await using watch = await watching(at("link"));
  await symlink("two", at("next"));
  await rename(at("next"), at("link"));
  expect(await watch.next()).toBe("it is another folder");
  await writeFile(join(at("two"), ".hidden/x.yaml"), "");
  await writeFile(join(at("two"), "seen.yaml"), "");
  expect(await watch.next()).toBe("seen.yaml");
  await rename(at("two"), at("away"));
  expect(await watch.next()).toMatch(/gone|seen/);
  await rename(at("away"), at("two"));
  for (let what = ""; what !== "it is another folder"; ) what = await watch.next();
});
