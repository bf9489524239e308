import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { VmPaths } from "../../../src/agent/launch-command.ts";
import { diskStorage } from "../../../src/agent/storage/disk-storage.ts";
import { virtualSizeBytes } from "../../../src/agent/storage/image-file.ts";
import type { Disk, DiskOrigin } from "../../../src/model/vm-spec.ts";
import { aQcow2Header } from "../../support/a-qcow2-header.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const MIB = 1024 * 1024;
const NEVER = new AbortController().signal;
const REAL = { kind: "real", grow: true, signal: NEVER } as const;
const aDisk = (name: string, origin: DiskOrigin): Disk => ({ name, origin, readonly: false });
const blank = (sizeMiB: number) => aDisk("data", { kind: "blank", sizeMiB });

async function aPlace() {
  const folder = await aTempFolder();
  const paths: VmPaths = {
    runFolder: join(folder.path, "run"),
    diskFolder: join(folder.path, "vm/disks"),
    logFolder: join(folder.path, "vm/logs"),
  };
  return {
    path: folder.path,
    paths,
    file: (name: string) => join(paths.diskFolder, name),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test("a blank disk is sparse, is made once, grows and never shrinks, and one that is larger than its spec starts all the same", async () => {
  await using place = await aPlace();
  await diskStorage.ensure(place.paths, [blank(64)], REAL);
  const file = place.file("data.raw");
  const made = await stat(file);
  expect(made).toMatchObject({ size: 64 * MIB });
  expect(made.blocks * 512).toBeLessThan(MIB);
  expect(made.mode & 0o777).toBe(0o600);
  await writeFile(file, "precious", { flag: "r+" });
  await diskStorage.ensure(place.paths, [blank(128)], { ...REAL, grow: false });
  expect((await stat(file)).size).toBe(64 * MIB);
  await diskStorage.ensure(place.paths, [blank(128)], REAL);
  expect((await stat(file)).size).toBe(128 * MIB);
  expect((await readFile(file)).subarray(0, 8).toString()).toBe("precious");
  await diskStorage.ensure(place.paths, [blank(32)], REAL);
  expect((await stat(file)).size).toBe(128 * MIB);
  expect(await diskStorage.list(place.paths)).toEqual(["data.raw"]);
});

test("external disks are nobody's business, not even their folder", async () => {
  await using place = await aPlace();
  await diskStorage.ensure(place.paths, [aDisk("data", { kind: "external", url: "nbd://x/y" })], REAL);
  await expect(readdir(place.paths.diskFolder)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a placeholder says what it stands for, and is never taken for a disk", async () => {
  await using place = await aPlace();
  for (let time = 0; time < 2; time++)
    await diskStorage.ensure(place.paths, [blank(64)], { ...REAL, kind: "placeholder" });
  expect(JSON.parse(await readFile(place.file("data.raw.placeholder"), "utf8"))).toEqual({ placeholderFor: blank(64) });
  await diskStorage.ensure(place.paths, [blank(64)], REAL);
  expect((await stat(place.file("data.raw"))).size).toBe(64 * MIB);
});

test("set aside, a disk's bytes stay, as often as it happens", async () => {
  await using place = await aPlace();
  for (let time = 0; time < 2; time++) {
    await diskStorage.ensure(place.paths, [blank(1)], REAL);
    await diskStorage.setAside(place.paths, blank(1));
  }
  await diskStorage.setAside(place.paths, blank(1));
  expect(await diskStorage.list(place.paths)).toEqual(["data.raw.kept-1", "data.raw.kept-2"]);
});

test("a half-made disk of a crash is made anew", async () => {
  await using place = await aPlace();
  await mkdir(place.paths.diskFolder, { recursive: true });
  await writeFile(place.file("data.raw.tmp"), "half");
  await diskStorage.ensure(place.paths, [blank(1)], REAL);
  expect(await readdir(place.paths.diskFolder)).toEqual(["data.raw"]);
});

test("an image that is not there is named, with its place", async () => {
  await using place = await aPlace();
  const path = join(place.path, "none.qcow2");
  const disk = aDisk("root", { kind: "image", image: "debian-12", path, format: "qcow2", sizeMiB: 64 });
  await expect(diskStorage.ensure(place.paths, [disk], REAL)).rejects.toMatchObject({
    code: "IMAGE_MISSING",
    message: expect.stringContaining(path),
  });
  expect(await readdir(place.paths.diskFolder)).toEqual([]);
});

test("a file that is no qcow2 image is said to be none", async () => {
  await using place = await aPlace();
  const path = join(place.path, "image");
  await writeFile(path, "x".repeat(100));
  await expect(virtualSizeBytes(path, "qcow2")).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});

describe.runIf(requires("disks made from images", "qemu-img"))("with qemu-img", () => {
  const qemuImg = promisify(execFile);

  test.each(["raw", "qcow2"] as const)(
    "an overlay over a %s image reads through, grows and keeps what was written",
    async (format) => {
      await using place = await aPlace();
      const path = join(place.path, `image, with a comma.${format}`);
      await qemuImg("qemu-img", ["create", "-q", "-f", format, path, `${16 * MIB}`]);
      const origin = (sizeMiB: number): DiskOrigin => ({ kind: "image", image: "debian-12", path, format, sizeMiB });
      await diskStorage.ensure(place.paths, [aDisk("root", origin(32))], REAL);
      const overlay = place.file("root.qcow2");
      const info = async () => JSON.parse((await qemuImg("qemu-img", ["info", "--output=json", overlay])).stdout);
      expect(await info()).toMatchObject({
        format: "qcow2",
        "virtual-size": 32 * MIB,
        "full-backing-filename": path,
        "backing-filename-format": format,
      });
      const before = (await stat(overlay)).ino;
      await diskStorage.ensure(place.paths, [aDisk("root", origin(48))], REAL);
      expect((await stat(overlay)).ino).toBe(before);
      expect(await virtualSizeBytes(overlay, "qcow2")).toBe(48 * MIB);
      await diskStorage.ensure(place.paths, [aDisk("root", origin(40))], REAL);
      expect(await virtualSizeBytes(overlay, "qcow2")).toBe(48 * MIB);
    },
  );

  test("a disk smaller than its image is refused", async () => {
    await using place = await aPlace();
    const path = join(place.path, "image.raw");
    await writeFile(path, "");
    await truncate(path, 16 * MIB);
    const disk = aDisk("root", { kind: "image", image: "debian-12", path, format: "raw", sizeMiB: 8 });
    await expect(diskStorage.ensure(place.paths, [disk], REAL)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(await readdir(place.paths.diskFolder)).toEqual([]);
  });

  test("what qemu-img says of a failure is passed on", async () => {
    await using place = await aPlace();
    const path = join(place.path, "image.qcow2");
    // A header that reads well over a body that is missing.
    await writeFile(path, aQcow2Header({ bytes: MIB }));
    const disk = aDisk("root", { kind: "image", image: "debian-12", path, format: "qcow2", sizeMiB: 8 });
    await expect(diskStorage.ensure(place.paths, [disk], REAL)).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      message: expect.stringContaining("could not make an overlay"),
    });
    expect(await readdir(place.paths.diskFolder)).toEqual([]);
  });
});
