/** Disks over images that the agent fetches: whoever asks, they are made over whole ones, and stay over them; nobody prunes what a disk stands on. */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import type { RemoteImage } from "../../../src/model/remote-image.ts";
import type { Disk, VmSpec } from "../../../src/model/vm-spec.ts";
import { aClock } from "../../support/a-clock.ts";
import { anAgent, aSpec, NEVER, withProcess } from "../../support/an-agent.ts";
import { anImageServer, type Behaviour, serveWell } from "../../support/an-image-server.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function aWorld(behaviour: Behaviour = serveWell) {
  const folder = await aTempFolder();
  const [first, second] = [randomBytes(MIB), randomBytes(2 * MIB)];
  let current = first;
  const server = await anImageServer(
    { "/a.raw": () => current, "/SUMS": () => Buffer.from(`${sha256(current)}  a.raw\n`) },
    { "/a.raw": behaviour },
  );
  const hypervisor = { ...withProcess(createNoopHypervisor({ clock: aClock() })), disks: "real" as const };
  const agent = await anAgent({ processes: true, hypervisors: [hypervisor] });
  const remoteOf = (checksum: RemoteImage["sources"][number]["checksum"]): RemoteImage => ({
    format: "raw",
    sources: [{ architecture: null, urls: [server.url("/a.raw")], checksum, compression: "none" }],
  });
  const specOf = (remote: RemoteImage): VmSpec => {
    const origin: Disk["origin"] = {
      kind: "image",
      image: "deb",
      path: "image:deb",
      format: "raw",
      sizeMiB: 8,
      remote,
    };
    return aSpec({
      disks: [{ name: "root", origin, readonly: false }],
      boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
    });
  };
  return {
    agent,
    server,
    pinned: (bytes = first) => specOf(remoteOf({ algorithm: "sha256", digest: sha256(bytes) })),
    byFile: () => remoteOf({ url: server.url("/SUMS"), file: "a.raw" }),
    specOf,
    first,
    second,
    upgrade: () => {
      current = second;
    },
    imageOf: (bytes: Buffer) => join(agent.dataFolder, "images", `sha256-${sha256(bytes)}.raw`, "image.raw"),
    backingOf: async (vm: string, disk = "root") => {
      const file = join(agent.dataFolder, "vms", vm, "disks", `${disk}.qcow2`);
      const { stdout } = await run("qemu-img", ["info", "-U", "--output=json", file]);
      const info = JSON.parse(stdout) as { "full-backing-filename": string; "backing-filename-format": string };
      return [info["full-backing-filename"], info["backing-filename-format"]];
    },
    images: () => agent.lifecycle.images,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const prune = (over: object = {}) => ({ digests: null, youngerThanSeconds: 0, dryRun: false, ...over });

describe.runIf(requires("disks made from images", "qemu-img"))("with qemu-img", () => {
  test("two VMs that want one image at once have it fetched once, and both stand on it", async () => {
    await using world = await aWorld();
    const { agent, first } = world;
    const made = await Promise.all(["a", "b"].map((name) => agent.put(name, { spec: world.pinned() })));
    expect(made).toMatchObject([{ outcome: "done" }, { outcome: "done" }]);
    for (const name of ["a", "b"]) expect(await world.backingOf(name)).toEqual([world.imageOf(first), "raw"]);
    expect(world.server.asked).toEqual(["GET /a.raw 0-"]);
    expect(await agent.boot("a")).toMatchObject({ outcome: "done" });
    expect((await agent.lifecycle.report(NEVER)).images).toMatchObject([
      { name: "deb", digest: `sha256:${sha256(first)}`, state: "ready", totalBytes: MIB },
    ]);
    await agent.restart();
    expect(await agent.boot("b")).toMatchObject({ outcome: "done" });
    expect(world.server.asked.length).toBe(1);
  });

  test("a source that moved on makes new disks from the new bytes; old ones stay, and the report says so", async () => {
    await using world = await aWorld();
    const { agent, first, second } = world;
    const spec = world.specOf(world.byFile());
    await agent.put("old", { spec });
    world.upgrade();
    const seen = await agent.lifecycle.lookFor([{ kind: "fetch", image: "deb", remote: world.byFile() }], NEVER);
    expect(seen).toMatchObject([
      { found: true, image: { digest: `sha256:${sha256(second)}`, present: false, bytes: 2 * MIB } },
    ]);
    const fetched = await world
      .images()
      .fetch({ id: "f", name: "deb", remote: world.byFile(), digest: null }, 60_000, NEVER);
    expect(fetched).toMatchObject({ state: "ready", noop: false, bytes: 2 * MIB });
    await agent.put("new", { spec });
    expect(await world.backingOf("old")).toEqual([world.imageOf(first), "raw"]);
    expect(await world.backingOf("new")).toEqual([world.imageOf(second), "raw"]);
    expect((await agent.vm("old")).images).toEqual([
      { disk: "root", file: world.imageOf(first), pathNow: world.imageOf(second) },
    ]);
    // A spec with the next checksum leaves the disk alone, too, and the guest boots.
    expect(await agent.put("old", { spec: world.pinned(second), generation: 2 })).toMatchObject({ outcome: "done" });
    expect(await agent.boot("old")).toMatchObject({ outcome: "done" });
    expect(await world.backingOf("old")).toEqual([world.imageOf(first), "raw"]);
    expect(await readdir(join(agent.dataFolder, "vms/old/disks"))).toEqual(["root.qcow2"]);
  });

  test("what a disk stands on is not pruned: of VMs that run, that are deleted, and that no record names", async () => {
    await using world = await aWorld();
    const { agent, first, second } = world;
    await agent.put("web", { spec: world.pinned() });
    await agent.operate("web", { kind: "delete", graceSeconds: null });
    const why = { kept: [{ digest: `sha256:${sha256(first)}`, why: "disks stand on it: web/root" }], removed: [] };
    expect(await world.images().prune(prune())).toMatchObject(why);
    expect(await world.images().prune(prune({ digests: [sha256(first).slice(0, 12)] }))).toMatchObject(why);
    // Set aside, and nobody's.
    const stray = join(agent.dataFolder, "vms/lost/disks");
    await mkdir(stray, { recursive: true });
    world.upgrade();
    const request = { id: "f", name: "deb", remote: world.byFile(), digest: null };
    await world.images().fetch(request, 60_000, NEVER);
    const image = world.imageOf(second);
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", join(stray, "x.qcow2.kept-1")]);
    expect((await world.images().prune(prune())).kept.map((each) => each.why).sort()).toEqual([
      "disks stand on it: lost/x.qcow2.kept-1",
      "disks stand on it: web/root",
    ]);
    await agent.operate("web", { kind: "purge" });
    expect(await world.images().prune(prune({ dryRun: true }))).toMatchObject({ removed: [{ bytes: MIB }] });
    expect(await world.images().prune(prune({ youngerThanSeconds: 3600 }))).toMatchObject({ removed: [] });
    expect(await world.images().prune(prune())).toMatchObject({ removed: [{ digest: `sha256:${sha256(first)}` }] });
    expect((await world.images().list()).map(({ digest }) => digest)).toEqual([`sha256:${sha256(second)}`]);
    // What cannot be looked below may stand on any.
    await writeFile(join(stray, "y.qcow2"), Buffer.concat([Buffer.from("QFI\xfb", "latin1"), Buffer.alloc(200, 0xff)]));
    await expect(world.images().prune(prune())).rejects.toMatchObject({
      code: expect.stringMatching(/STORAGE_FAILED/),
    });
  });

  test("what a disk stands on is not pruned where the data folder is a link, or was moved", async () => {
    await using world = await aWorld();
    const { agent, first } = world;
    // As where /var/lib/odorobo leads to a larger disk: what is made from now on names its image with links followed.
    await rename(agent.dataFolder, `${agent.dataFolder}-large`);
    await symlink(`${agent.dataFolder}-large`, agent.dataFolder);
    await agent.put("web", { spec: world.pinned() });
    const file = join(`sha256-${sha256(first)}.raw`, "image.raw");
    expect(await world.backingOf("web")).toEqual([join(`${agent.dataFolder}-large`, "images", file), "raw"]);
    const why = { kept: [{ digest: `sha256:${sha256(first)}`, why: "disks stand on it: web/root" }], removed: [] };
    expect(await world.images().prune(prune())).toMatchObject(why);
    await rm(agent.dataFolder);
    await rename(`${agent.dataFolder}-large`, agent.dataFolder);
    expect(await world.images().prune(prune())).toMatchObject(why);
  });

  test("a VM whose image cannot be had is not made, and leaves nothing; asked again it is", async () => {
    let isBad = true;
    await using world = await aWorld((request, response, body) => {
      if (isBad) response.end("no image");
      else serveWell(request, response, body);
    });
    const { agent } = world;
    const made = await agent.put("web", { spec: world.pinned() });
    expect(made).toMatchObject({ outcome: "failed", error: { code: "IMAGE_REFUSED" } });
    const fetched = await world
      .images()
      .fetch({ id: "f", name: "deb", remote: world.byFile(), digest: `sha256:${sha256(world.first)}` }, 60_000, NEVER);
    expect(fetched).toMatchObject({ state: "failed", error: { code: "IMAGE_REFUSED", hint: expect.any(String) } });
    expect(await readdir(join(agent.dataFolder, "images"))).toEqual([]);
    isBad = false;
    const generation = ((await agent.vm("web").catch(() => null))?.generation ?? 0) + 1;
    expect(await agent.put("web", { spec: world.pinned(), generation })).toMatchObject({ outcome: "done" });
    expect(await agent.boot("web")).toMatchObject({ outcome: "done" });
  });

  test("no guest gets an image of the cache as a disk that it could write to", async () => {
    await using world = await aWorld();
    const { agent, first } = world;
    const remote = (world.pinned().disks[0] as { origin: { remote: RemoteImage } }).origin.remote;
    await world.images().fetch({ id: "f", name: "deb", remote, digest: null }, 60_000, NEVER);
    const external = (readonly: boolean) =>
      aSpec({
        disks: [{ name: "root", origin: { kind: "external", url: `file://${world.imageOf(first)}` }, readonly }],
        boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
      });
    await agent.put("thief", { spec: external(false) });
    expect(await agent.boot("thief")).toMatchObject({ outcome: "failed", error: { code: "DISK_IN_USE" } });
    await agent.put("reader", { spec: external(true) });
    expect(await agent.boot("reader")).toMatchObject({ outcome: "done" });
  });
});
