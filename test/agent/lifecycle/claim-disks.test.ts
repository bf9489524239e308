/** Two guests that would write to one disk, and disks that are not what they are said to be: refused before anything is begun. */
import { link, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { Disk } from "../../../src/model/vm-spec.ts";
import { aClock } from "../../support/a-clock.ts";
import { aQcow2Header } from "../../support/a-qcow2-header.ts";
import { anAgent, aSpec, NEVER, withProcess } from "../../support/an-agent.ts";
import { editRecord } from "../../support/edit-record.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

/** Real in all but its guest. */
const real = (over: Partial<Hypervisor> = {}): Hypervisor => ({
  ...withProcess(createNoopHypervisor({ clock: aClock() })),
  disks: "real",
  ...over,
});

async function aWorld(over: Partial<Hypervisor> = {}) {
  const folder = await aTempFolder();
  const agent = await anAgent({ processes: true, hypervisors: [real(over)], allowedRoots: [folder.path] });
  const at = (name: string) => join(folder.path, name);
  await writeFile(at("d.raw"), Buffer.alloc(1024));
  return {
    agent,
    at,
    async put(name: string, ...disks: readonly Disk[]) {
      return await agent.put(name, { spec: specWith(disks) });
    },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const specWith = (disks: readonly Disk[]) =>
  aSpec({ disks, boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" } });
const external = (path: string, readonly = false, name = "d"): Disk => ({
  name,
  origin: { kind: "external", url: path.includes("://") ? path : `file://${path}` },
  readonly,
});
const IN_USE = { outcome: "failed", error: { code: "DISK_IN_USE" } };

test("one file under several names is one guest's at a time", async () => {
  await using world = await aWorld();
  const { agent, at } = world;
  await symlink("d.raw", at("link.raw"));
  await link(at("d.raw"), at("hard.raw"));
  await world.put("one", external(at("d.raw")));
  await world.put("two", external(at("link.raw")));
  await world.put("three", external(at("hard.raw")));
  await world.put("reader", external(at("hard.raw"), true));
  expect(await agent.boot("one")).toMatchObject({ outcome: "done" });
  const refused = await agent.boot("two");
  expect(refused).toMatchObject(IN_USE);
  expect(refused.error?.message).toContain("disk d of two is the same bytes as disk d of one");
  expect(await agent.boot("three")).toMatchObject(IN_USE);
  expect(await agent.boot("reader")).toMatchObject(IN_USE);
  // Known to the next agent as well, and free when its guest is off.
  await agent.restart();
  expect(await agent.boot("two")).toMatchObject(IN_USE);
  await agent.shutdown("one");
  expect(await agent.boot("two")).toMatchObject({ outcome: "done" });
  expect(await agent.boot("one")).toMatchObject(IN_USE);
});

test("two that boot at the same moment do not both get it", async () => {
  await using world = await aWorld();
  const names = ["a", "b", "c", "d"];
  for (const name of names) await world.put(name, external("nbd://san/vol"));
  const results = await Promise.all(names.map((name) => world.agent.boot(name)));
  expect(results.map((each) => each.outcome).sort()).toEqual(["done", "failed", "failed", "failed"]);
});

test("a disk of the agent's own is its VM's while that runs, and can be looked at by another while it is off", async () => {
  await using world = await aWorld();
  const { agent } = world;
  await world.put("web", { name: "data", origin: { kind: "blank", sizeMiB: 1 }, readonly: false });
  await world.put("rescue", external(join(agent.dataFolder, "vms/web/disks/data.raw")));
  await agent.boot("web");
  expect(await agent.boot("rescue")).toMatchObject(IN_USE);
  await agent.shutdown("web");
  expect(await agent.boot("rescue")).toMatchObject({ outcome: "done" });
  expect(await agent.boot("web")).toMatchObject(IN_USE);
});

test("a guest that no record tells of has the files that its process has open", async () => {
  await using folder = await aTempFolder();
  const disk = join(folder.path, "d.raw");
  await writeFile(disk, Buffer.alloc(1024));
  await link(disk, join(folder.path, "hard.raw"));
  const supervisor = createSpawnSupervisor();
  const shell = { executable: "sh", args: ["-c", `exec 3<>${disk}; exec sleep 600`] };
  const hypervisor: Hypervisor = { ...withProcess(createNoopHypervisor({ clock: aClock() }), shell), disks: "real" };
  await using agent = await anAgent({ supervisor, hypervisors: [hypervisor] });
  for (const name of ["damaged", "held"]) await agent.put(name, { spec: specWith([external(disk)]) });
  await agent.put("two", { spec: specWith([external(join(folder.path, "hard.raw"))]) });
  for (const name of ["damaged", "held"]) {
    const record = join(agent.dataFolder, "vms", name, "record.json");
    const before = await readFile(record, "utf8");
    await agent.boot(name);
    const processes = await supervisor.below(join(agent.runFolder, "vms"));
    expect(processes).toHaveLength(1);
    try {
      await agent.lifecycle[Symbol.asyncDispose]();
      if (name === "damaged") await writeFile(record, before.replace('"generation":1', '"generation":7'));
      // As a backup has it that is older than this spec.
      else await editRecord(record, { spec: specWith([]), guest: null, phase: "stopped" });
      await agent.restart();
      expect((await agent.lifecycle.report(NEVER)).unreadable).toMatchObject([{ name }]);
      const refused = await agent.boot("two");
      expect(refused).toMatchObject(IN_USE);
      expect(refused.error?.message).toContain(`${disk} of ${name}, which has it now`);
    } finally {
      await supervisor.stop(processes[0]!.process, 0);
    }
    expect(await agent.boot("two")).toMatchObject({ outcome: "done" });
    await agent.shutdown("two", 0);
    await agent.lifecycle[Symbol.asyncDispose]();
    await writeFile(record, before);
    await agent.restart();
  }
});

test("one VM that has the same bytes twice, attached by hand or applied to the running guest", async () => {
  await using world = await aWorld();
  const { agent, at } = world;
  await link(at("d.raw"), at("e.raw"));
  await world.put("twice", external(at("d.raw")), external(at("e.raw"), false, "e"));
  expect(await agent.boot("twice")).toMatchObject(IN_USE);
  await world.put("one", external(at("d.raw")));
  await world.put("two");
  await agent.boot("one");
  await agent.boot("two");
  const attach = () => agent.operate("two", { kind: "attach", device: { list: "disks", disk: external(at("e.raw")) } });
  await expect(attach()).rejects.toMatchObject({ code: "DISK_IN_USE" });
  const applied = await agent.put("two", { generation: 2, spec: specWith([external(at("e.raw"))]) });
  expect(applied).toMatchObject(IN_USE);
  // What was detached is claimed no longer.
  await agent.operate("one", { kind: "detach", device: { list: "disks", name: "d" } });
  expect(await attach()).toMatchObject({ outcome: "done" });
});

test("an image is nobody's disk to write to, whether the VMs over it run or not", async () => {
  await using world = await aWorld();
  const { agent, at } = world;
  const origin = { kind: "image", image: "deb", path: at("d.raw"), format: "raw", sizeMiB: 1 } as const;
  await world.put("web", { name: "root", origin, readonly: false });
  await symlink("d.raw", at("link.raw"));
  await world.put("writer", external(at("link.raw")));
  await world.put("reader", external(at("link.raw"), true));
  const refused = await agent.boot("writer");
  expect(refused).toMatchObject(IN_USE);
  expect(refused.error?.message).toContain("the image below disk root of web");
  expect(await agent.boot("reader")).toMatchObject({ outcome: "done" });
});

const FOLLOWING = aQcow2Header({ backingFile: "/etc/shadow" });
test.each([
  ["a raw disk that is called qcow2", "x.qcow2", Buffer.alloc(512), /is called qcow2, and does not begin as such/],
  ["a qcow2 image that is called by no format", "x.img", aQcow2Header(), /would be opened as raw, and is a qcow2/],
  ["an image that reads from another file", "x.qcow2", FOLLOWING, /reads from another file, "\/etc\/shadow"/],
  ["one whose data are in another file", "x.qcow2", aQcow2Header({ dataFile: "/dev/sda" }), /data in another file/],
])("%s is refused at the boot and by hand", async (_, name, bytes, message) => {
  await using world = await aWorld();
  const { agent, at } = world;
  await writeFile(at(name), bytes);
  await world.put("web", external(at(name)));
  const error = { code: "UNSUPPORTED", message: expect.stringMatching(message) };
  expect(await agent.boot("web")).toMatchObject({ outcome: "failed", error });
  await world.put("other");
  await agent.boot("other");
  const device = { list: "disks", disk: external(at(name)) } as const;
  await expect(agent.operate("other", { kind: "attach", device })).rejects.toMatchObject(error);
});

test("what is called raw may hold anything, unless its hypervisor goes by the bytes", async () => {
  await using named = await aWorld();
  await writeFile(named.at("nested.raw"), FOLLOWING);
  await named.put("web", external(named.at("nested.raw")));
  expect(await named.agent.boot("web")).toMatchObject({ outcome: "done" });

  await using guessing = await aWorld({ guessesFormats: () => true });
  const { agent } = guessing;
  await writeFile(guessing.at("nested.raw"), FOLLOWING);
  await guessing.put("web", external(guessing.at("nested.raw")));
  expect(await agent.boot("web")).toMatchObject({ error: { code: "UNSUPPORTED" } });
  // A guest may have written it into its own disk.
  await guessing.put("own", { name: "data", origin: { kind: "blank", sizeMiB: 1 }, readonly: false });
  expect(await agent.boot("own")).toMatchObject({ outcome: "done" });
  await agent.shutdown("own");
  await writeFile(join(agent.dataFolder, "vms/own/disks/data.raw"), FOLLOWING, { flag: "r+" });
  expect(await agent.boot("own")).toMatchObject({ error: { code: "UNSUPPORTED" } });
});

test("a disk that is not there is named before the running guest is shut down for it", async () => {
  await using world = await aWorld();
  const { agent, at } = world;
  await world.put("web", external(at("d.raw")));
  await agent.boot("web");
  await agent.put("web", { generation: 2, defer: true, spec: specWith([external(at("nowhere.raw"))]) });
  await expect(agent.operate("web", { kind: "reboot", graceSeconds: null })).rejects.toMatchObject({
    code: "IMAGE_MISSING",
  });
  expect(await agent.vm("web")).toMatchObject({ phase: "running" });
});

test("a socket of another folder is not opened for who may not name files there", async () => {
  await using world = await aWorld();
  const { agent } = world;
  await world.put("web");
  await agent.boot("web");
  const device = { list: "disks", disk: external("nbd+unix:///x?socket=/run/other.sock") } as const;
  await expect(agent.operate("web", { kind: "attach", device })).rejects.toMatchObject({ code: "PATH_NOT_ALLOWED" });
});
