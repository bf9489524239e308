/** The registry of what tests need: what is left out is noted, never silent. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ALL_PACKAGES, requires } from "./requirements.ts";
import { aTempFolder } from "./temp-folder.ts";

test("what the machine lacks is noted with the package that would add it", async () => {
  await using folder = await aTempFolder();
  const file = join(folder.path, "skips");
  vi.stubEnv("ODOROBO_TEST_SKIPS", file);
  vi.stubEnv("PATH", folder.path);
  try {
    expect(requires("guests", "qemu-system-x86_64", "qemu-img")).toBe(false);
    expect(requires("nothing special")).toBe(true);
    expect(requires("a real one", "cloud-hypervisor")).toBe(false);
  } finally {
    vi.unstubAllEnvs();
  }
  expect(
    (await readFile(file, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    {
      what: "guests",
      missing: ["qemu-system-x86_64", "qemu-img"],
      packages: ["qemu-system-x86", "qemu-utils"],
      isOptional: false,
    },
    { what: "a real one", missing: ["cloud-hypervisor"], packages: [], isOptional: true },
  ]);
});

test("every package that could be missing is known beforehand", () => {
  expect(ALL_PACKAGES).toContain("qemu-system-x86");
});
