/** Block devices have a size, and are the same bytes as what lies below them. On loop devices, where there are any. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { identitiesOf } from "../../../src/agent/storage/disk-identity.ts";
import { diskStorage } from "../../../src/agent/storage/disk-storage.ts";
import { lookAtImage } from "../../../src/agent/storage/image-file.ts";
import { noteChain } from "../../../src/agent/storage/image-note.ts";
import { ImageWatch } from "../../../src/agent/storage/image-watch.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const MIB = 1024 * 1024;
const run = promisify(execFile);

async function aDevice() {
  const folder = await aTempFolder();
  const file = join(folder.path, "lv.raw");
  await writeFile(file, Buffer.alloc(8 * MIB, "a"));
  const device = (await run("losetup", ["--find", "--show", file])).stdout.trim();
  return {
    file,
    device,
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      await run("losetup", ["--detach", device]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe.runIf(requires("images on block devices", "loop-devices", "qemu-img"))("a block device", () => {
  test("has a size, and a disk over it may not be smaller", async () => {
    await using world = await aDevice();
    expect(await lookAtImage(world.device)).toEqual({ kind: "device", bytes: 8 * MIB, qcow2: null });
    const paths = { runFolder: world.folder, diskFolder: join(world.folder, "disks"), logFolder: world.folder };
    const origin = { kind: "image", image: "lv", path: world.device, format: "raw", sizeMiB: 4 } as const;
    const options = { kind: "real", grow: true, signal: new AbortController().signal } as const;
    const make = (sizeMiB: number) =>
      diskStorage.ensure(paths, [{ name: "root", origin: { ...origin, sizeMiB }, readonly: false }], options);
    await expect(make(4)).rejects.toMatchObject({ code: "UNSUPPORTED", message: expect.stringContaining("8 MiB") });
    expect(await make(8)).toMatchObject({ root: [{ path: world.device, kind: "device", bytes: 8 * MIB }] });
  });

  test("is the same as long as its bytes are, which are looked at before each boot", async () => {
    await using world = await aDevice();
    const notes = await noteChain(world.device);
    const watch = new ImageWatch();
    expect(await watch.findChange(notes)).toBeNull();
    await writeFile(world.device, "b", { flag: "r+" });
    expect(await watch.findChange(notes, { quick: true })).toBeNull();
    expect(await watch.findChange(notes)).toMatchObject({ is: expect.stringContaining("with other contents") });
  });

  test("is the bytes of the file below it, and is known under a second node of its own", async () => {
    await using world = await aDevice();
    const minor = /\d+$/.exec(world.device)?.[0] ?? "";
    const second = join(world.folder, "node");
    await run("mknod", [second, "b", "7", minor]);
    const device = await identitiesOf(world.device);
    for (const other of [world.file, second, `file://${second}`])
      expect((await identitiesOf(other)).some((each) => device.includes(each))).toBe(true);
    expect((await identitiesOf(join(world.folder, "else"))).some((each) => device.includes(each))).toBe(false);
  });
});
