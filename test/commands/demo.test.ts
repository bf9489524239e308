import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { odorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

test("demo --end leaves a folder alone that is not a demo's", async () => {
  await using folder = await aTempFolder();
  await mkdir(join(folder.path, "n1"));
  const file = join(folder.path, "n1", "thesis.txt");
  await writeFile(file, "years of work");

  const outcome = await odorobo("demo", "--end", folder.path);

  expect(outcome).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("is no folder of a demo") });
  expect(await readFile(file, "utf8")).toBe("years of work");
});
