import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { requires } from "../support/requirements.ts";

const guest = fileURLToPath(new URL("../../guest/", import.meta.url));

test.runIf(requires("the tiny guest's binary is its source, built", "gcc", "ld"))(
  "the tiny guest in the repository is what its source builds, byte for byte",
  async () => {
    const scratch = await mkdtemp(join(tmpdir(), "odo-"));
    try {
      const built = join(scratch, "tiny.elf");
      await promisify(execFile)(join(guest, "build.sh"), [built]);
      expect((await readFile(built)).equals(await readFile(join(guest, "tiny.elf")))).toBe(true);
    } finally {
      await rm(scratch, { recursive: true });
    }
  },
);

test("the tiny guest is a PVH kernel of a few kilobytes", async () => {
  const elf = await readFile(join(guest, "tiny.elf"));
  expect(elf.subarray(0, 4).toString("latin1")).toBe("\x7fELF");
  expect(elf.includes("Xen\0")).toBe(true);
  expect(elf.length).toBeLessThan(8192);
});
