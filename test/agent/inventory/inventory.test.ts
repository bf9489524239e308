import { mkdir, readFile, writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readBootId, readCapacity, readOrMakeNodeId } from "../../../src/agent/inventory/inventory.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

test("capacity is the host's or less, unless somebody says otherwise", async () => {
  const capacity = await readCapacity();
  expect(capacity.cpus).toBeGreaterThanOrEqual(1);
  expect(capacity.memoryMiB).toBeGreaterThan(0);
  expect(capacity.memoryMiB).toBeLessThanOrEqual(totalmem() / 1024 / 1024);
  expect(await readCapacity({ cpus: 64 })).toEqual({ cpus: 64, memoryMiB: capacity.memoryMiB });
  expect(await readCapacity({ cpus: 64, memoryMiB: 1 })).toEqual({ cpus: 64, memoryMiB: 1 });
});

test("the boot id is the kernel's", async () => {
  expect(await readBootId()).toMatch(/^[0-9a-f-]{36}$/);
  expect(await readBootId()).toBe(await readBootId());
});

test("the node's id is made once", async () => {
  await using folder = await aTempFolder();
  let made = 0;
  const newId = () => `id-${++made}`;
  const data = join(folder.path, "data");
  expect(await readOrMakeNodeId(data, newId)).toBe("id-1");
  expect(await readOrMakeNodeId(data, newId)).toBe("id-1");
  expect(await readFile(join(data, "node-id"), "utf8")).toBe("id-1\n");
});

test("a data folder that cannot be written to is named", async () => {
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "file"), "");
  await expect(readOrMakeNodeId(join(folder.path, "file"), () => "x")).rejects.toMatchObject({
    code: "STORAGE_FAILED",
  });
  await mkdir(join(folder.path, "d/node-id"), { recursive: true });
  await expect(readOrMakeNodeId(join(folder.path, "d"), () => "x")).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});
