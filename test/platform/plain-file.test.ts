/** Files in folders that a guest's process may write to. */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { lastLines } from "../../src/agent/lifecycle/guest/logs.ts";
import { readTail } from "../../src/agent/log-file.ts";
import { writeFileAtomically } from "../../src/platform/atomic-write.ts";
import { openPlainFile, readPlainText } from "../../src/platform/plain-file.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const gives = (code: string) => expect.objectContaining({ code });

test("a plain file is read, a link is not followed, a pipe holds nobody up", async () => {
  await using temp = await aTempFolder();
  const at = (name: string) => join(temp.path, name);
  await writeFile(at("file"), "text");
  await symlink(at("file"), at("link"));
  await mkdir(at("folder"));
  await promisify(execFile)("mkfifo", [at("pipe")]);
  expect(await readPlainText(at("file"))).toBe("text");
  for (const name of ["link", "folder", "pipe"]) await expect(openPlainFile(at(name))).rejects.toEqual(gives("ELOOP"));
  await expect(openPlainFile(at("nothing"))).rejects.toEqual(gives("ENOENT"));
  await writeFile(at("large"), Buffer.alloc(5 * 1024 * 1024));
  await expect(readPlainText(at("large"))).rejects.toEqual(gives("EFBIG"));
});

test("no log shows what a link in its place leads to", async () => {
  await using temp = await aTempFolder();
  const secret = join(temp.path, "secret");
  const log = join(temp.path, "console.log");
  await writeFile(secret, "the agent's token\n");
  await symlink(secret, log);
  expect(await lastLines(log, {}, 20)).toEqual([]);
  expect((await readTail(log, 20)).bytes.length).toBe(0);
});

test("a file is made anew beside the old one, whatever a link there leads to", async () => {
  await using temp = await aTempFolder();
  const theirs = join(temp.path, "theirs");
  const ours = join(temp.path, "ours");
  await writeFile(theirs, "theirs");
  await symlink(theirs, `${ours}.tmp`);
  await writeFileAtomically(ours, "ours");
  expect([await readFile(ours, "utf8"), await readFile(theirs, "utf8")]).toEqual(["ours", "theirs"]);
  expect((await readdir(temp.path)).sort()).toEqual(["ours", "theirs"]);
});
