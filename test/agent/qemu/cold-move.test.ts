/** Overlays of VMs that are off, where the image's path leads to other bytes by now, and where there are no such bytes at all. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { open, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createQemuHypervisor } from "../../../src/agent/hypervisor/qemu/driver.ts";
import { backingOf } from "../../../src/agent/storage/image-note.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { aSpec, type TestAgent } from "../../support/an-agent.ts";
import { TINY_GUEST } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { twoAgents } from "../../support/two-agents.ts";

const MIB = 1024 * 1024;
const run = promisify(execFile);
const diskOf = ({ dataFolder }: TestAgent) => join(dataFolder, "vms/web-1/disks/root.qcow2");

/** On n1, off, over an image at a link that leads to a newer one since, with something written to it. */
async function aWorld(folder: string) {
  const [old, newer, link] = [join(folder, "old.raw"), join(folder, "newer.raw"), join(folder, "image.raw")];
  for (const image of [old, newer]) await writeFile(image, randomBytes(2 * MIB));
  await symlink(old, link);
  const qemu = () =>
    createQemuHypervisor({
      ...{ executable: "qemu-system-x86_64", accelerator: "tcg", tinyGuest: TINY_GUEST, cacheFile: null },
      clock: systemClock,
    });
  const node = () => ({ hypervisors: [qemu()], supervisor: createSpawnSupervisor() });
  const world = await twoAgents({ clock: systemClock }, { n1: node(), n2: node() });
  const origin = { kind: "image", image: "base", path: link, format: "raw", sizeMiB: 4 } as const;
  const disks = [{ name: "root", origin, readonly: false }];
  const boot = { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" } as const;
  await world.n1.put("web-1", { spec: aSpec({ hypervisor: "qemu", disks, boot }) });
  await run("qemu-io", ["-f", "qcow2", "-c", "write -P 0x61 1M 64k", diskOf(world.n1)]);
  await symlink(newer, `${link}.new`);
  await rename(`${link}.new`, link);
  return { world, old };
}

const isHere = () => requires("overlays of VMs that are off", "qemu-system-x86_64", "qemu-img");

test.runIf(isHere())(
  "what it stands on is there, though the path leads elsewhere by now: only the overlay is sent",
  async () => {
    await using folder = await aTempFolder();
    const { world, old } = await aWorld(folder.path);
    await using _ = world;
    const moved = await world.move({ mode: "cold" });
    expect(moved).toMatchObject({ outcome: "done", error: null });
    expect(moved.detail?.migration?.sentBytes).toBeLessThan(MIB);
    expect(await backingOf(diskOf(world.n2))).toBe(old);
    expect((await readFile(diskOf(world.n2))).equals(await readFile(diskOf(world.n1)))).toBe(true);
  },
);

test.runIf(isHere())("what it stands on is nowhere there: it comes as one file, and reads the same", async () => {
  await using folder = await aTempFolder();
  const { world, old } = await aWorld(folder.path);
  await using _ = world;
  // As from a node whose file system is another.
  world.rewrite = (line) => line.replaceAll(JSON.stringify(old), JSON.stringify(join(folder.path, "nowhere.raw")));
  const before = await readFile(diskOf(world.n1));
  const moved = await world.move({ mode: "cold" });
  expect(moved).toMatchObject({ outcome: "done", error: null });
  expect(await backingOf(diskOf(world.n2))).toBeNull();
  await run("qemu-img", ["compare", "-f", "qcow2", "-F", "qcow2", diskOf(world.n1), diskOf(world.n2)]);
  // Where it was all is as it was, and nothing that was made for the move is left.
  expect((await readFile(diskOf(world.n1))).equals(before)).toBe(true);
  expect(await readdir(join(world.n1.dataFolder, "vms/web-1/disks"))).toEqual(["root.qcow2"]);
  await using _guest = { [Symbol.asyncDispose]: async () => void (await world.n2.shutdown("web-1", 0)) };
  expect(await world.n2.boot("web-1")).toMatchObject({ error: null, after: { phase: "running" } });
});

test.runIf(isHere())(
  "an image that was written to where it was: its overlay is two systems in one, and is not sent as if it were one",
  async () => {
    await using folder = await aTempFolder();
    const { world, old } = await aWorld(folder.path);
    await using _ = world;
    const file = await open(old, "r+");
    await file.write(randomBytes(4096), 0, 4096, 0);
    await file.close();
    const moved = await world.move({ mode: "cold" });
    expect(moved).toMatchObject({ outcome: "failed", error: { code: "IMAGE_CHANGED" } });
    expect((await world.n1.vm("web-1")).migration).toBeUndefined();
  },
);
