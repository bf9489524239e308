import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { followFile, readTail, readTailBytes } from "../../src/agent/log-file.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test("the last lines go back into the file that was put aside, as far as is asked", async () => {
  await using folder = await aTempFolder();
  const log = join(folder.path, "console.log");
  writeFileSync(`${log}.1`, "1\n2\n3\n");
  writeFileSync(log, "4\n5\n");
  const tail = async (lines: number) => text((await readTail(log, lines)).bytes);
  expect(await tail(0)).toBe("");
  expect(await tail(1)).toBe("5\n");
  expect(await tail(2)).toBe("4\n5\n");
  expect(await tail(3)).toBe("3\n4\n5\n");
  expect(await tail(99)).toBe("1\n2\n3\n4\n5\n");
});

test("the last bytes do too, but not to before where they are wanted from", async () => {
  await using folder = await aTempFolder();
  const log = join(folder.path, "console.log");
  expect(text(await readTailBytes(log, 10))).toBe("");
  writeFileSync(`${log}.1`, "abcdef");
  writeFileSync(log, "ghi");
  expect(text(await readTailBytes(log, 2))).toBe("hi");
  expect(text(await readTailBytes(log, 5))).toBe("efghi");
  expect(text(await readTailBytes(log, 99))).toBe("abcdefghi");
  expect(text(await readTailBytes(log, 99, 1))).toBe("hi");
  // Begun anew since.
  expect(text(await readTailBytes(log, 99, 50))).toBe("ghi");
});

test("who follows a log loses nothing when it is put aside", async () => {
  await using folder = await aTempFolder();
  const log = join(folder.path, "console.log");
  writeFileSync(log, "one\n");
  const end = new AbortController();
  let seen = "";
  const following = (async () => {
    for await (const bytes of followFile(log, await readTail(log, 10), end.signal)) seen += text(bytes);
  })();
  await until("the tail is seen", () => seen === "one\n");
  appendFileSync(log, "two\n");
  renameSync(log, `${log}.1`);
  writeFileSync(log, "three\n");
  await until("all is seen", () => seen === "one\ntwo\nthree\n");
  end.abort();
  await following;
});
