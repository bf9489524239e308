/** Guests of a real QEMU: everything that the agent will do with them, without the agent. */
import { spawn } from "node:child_process";
import { readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RunningVm } from "../../../src/agent/hypervisor/hypervisor.ts";
import { qmpSocket } from "../../../src/agent/hypervisor/qemu/compile.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import type { Disk, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aQemuWorld, patience, type TestGuest } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";

const blank = (name: string, sizeMiB: number): Disk => ({
  name,
  origin: { kind: "blank", sizeMiB },
  readonly: false,
});
const userNic = (name: string, mac: string): Nic => ({
  name,
  network: "front",
  attachment: { kind: "user" },
  mac,
  address: null,
});

/** Generous: the machine runs other tests at the same time. */
const GUEST_MS = 15_000;

const phaseOf = async (running: RunningVm) => (await running.status(patience())).phase;

/** The spec after a live change, as lifecycle would ask for it. */
const updateTo = async (guest: TestGuest, over: Partial<VmSpec>): Promise<VmSpec> => {
  const spec = { ...guest.input.spec, ...over };
  await guest.running.update(spec, patience());
  return spec;
};

/** Over its monitor, which serves one client: the agent's is closed. */
async function resetPastTheAgent({ input }: TestGuest): Promise<void> {
  const socket = connect(qmpSocket(input.paths));
  let said = "";
  socket.on("data", (chunk) => {
    said += chunk;
  });
  socket.write('{"execute":"qmp_capabilities"}\n{"execute":"system_reset"}\n');
  await until("it was reset", async () => said.includes('"RESET"'), GUEST_MS);
  socket.destroy();
}

async function openFilesOf(pid: number): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`;
  return Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => "")));
}

/** A disk that another process serves over a Unix socket. */
async function anNbdDisk(folder: string, name: string): Promise<{ readonly disk: Disk; stop(): Promise<void> }> {
  const [file, socket] = [join(folder, `${name}.raw`), join(folder, `${name}.nbd`)];
  await writeFile(file, Buffer.alloc(1024 * 1024));
  const server = spawn("qemu-nbd", ["--persistent", "--format=raw", `--socket=${socket}`, "--export-name=x", file]);
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  await until("qemu-nbd listens", () =>
    stat(socket).then(
      () => true,
      () => false,
    ),
  );
  return {
    disk: { name, origin: { kind: "external", url: `nbd+unix:///x?socket=${socket}` }, readonly: false },
    stop: async () => {
      server.kill();
      await exited;
    },
  };
}

describe.runIf(requires("guests on a real QEMU", "qemu-system-x86_64"))("a guest on a real QEMU", () => {
  test("boots, counts aloud, and is exactly what its spec says", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1", {
      cpus: { count: 1, max: 4 },
      memory: { sizeMiB: 32, maxMiB: 64 },
      disks: [blank("root", 2), { ...blank("read-only-with-a-name-longer-than-qemu-takes", 1), readonly: true }],
      nics: [
        userNic("eth0", "52:54:00:00:00:01"),
        { ...userNic("eth1", "52:54:00:00:00:02"), attachment: { kind: "none" } },
      ],
    });
    await guest.says(/TINY-START/);
    await guest.says(/COUNTER 1\s/);
    expect(await phaseOf(guest.running)).toBe("running");
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
  });

  test("echoes what is typed on its console socket, and its log has it too", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1");
    await guest.says(/COUNTER 0/);
    await guest.types("x");
    await guest.says(/x/);
  });

  test("answers the power button and is then off by its own hand, its process still there to say so", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1");
    await guest.says(/COUNTER 0/);
    let changes = 0;
    guest.running.onChange(() => changes++);
    await guest.running.powerButton(patience());
    await guest.says(/POWER-BUTTON\s+BYE/);
    await until("it is off", async () => (await phaseOf(guest.running)) === "off");
    expect(await guest.running.status(patience())).toMatchObject({ phase: "off", endedBy: "guest" });
    expect(changes).toBeGreaterThan(0);
    expect(world.supervisor.isRunning(guest.process)).toBe(true);
    await guest.running.quit(patience());
    expect(await world.supervisor.waitForExit(guest.process, patience())).toEqual({ code: 0, signal: null });
  });

  test("that powers itself off is seen to have done so, also by an agent that comes later", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1");
    await guest.says(/COUNTER 0/);
    await guest.types("q");
    await guest.says(/BYE/);
    await until("it is off", async () => (await phaseOf(guest.running)) === "off");
    await guest.reconnect();
    expect(await guest.running.status(patience())).toMatchObject({ phase: "off", endedBy: "guest" });
  });

  test("stands still while it is paused", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1");
    const other = await world.boot("web-2");
    await other.says(/COUNTER 0/);
    await guest.says(/COUNTER 1\s/);
    await guest.running.pause(patience());
    expect(await phaseOf(guest.running)).toBe("paused");
    const before = await guest.log();
    // Three ticks of a guest like it that runs: time enough for three of its own.
    const ticks = await other.counter();
    await until("the other counts on", async () => (await other.counter()) >= ticks + 3);
    expect(await guest.log()).toBe(before);
    await guest.running.resume(patience());
    expect(await phaseOf(guest.running)).toBe("running");
    const paused = await guest.counter();
    await until("it counts on", async () => (await guest.counter()) > paused);
  });

  test("goes on while no agent is there, and the next one finds it unchanged", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await guest.says(/COUNTER 0/);
    await guest.reconnect();
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
    const before = await guest.counter();
    await until("it counts on", async () => (await guest.counter()) > before);
    expect((await guest.log()).match(/TINY-START/g)).toHaveLength(1);
  });

  test("that is killed tells its agent, and every later question says that it cannot be reached", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1");
    await guest.says(/TINY-START/);
    const told = new Promise<void>((resolve) => guest.running.onChange(resolve));
    process.kill(guest.process.pid, "SIGKILL");
    await told;
    expect(await world.supervisor.waitForExit(guest.process, patience())).toEqual({ code: null, signal: "SIGKILL" });
    await expect(guest.running.status(patience())).rejects.toMatchObject({ code: "HYPERVISOR_UNAVAILABLE" });
    await guest.running.quit(patience());
  });

  test("takes more CPUs while it runs, up to the room it was booted with", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1", { cpus: { count: 1, max: 3 } });
    await guest.says(/COUNTER 0/);
    const spec = await updateTo(guest, { cpus: { count: 2, max: 3 } });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
    await updateTo(guest, { cpus: { count: 8, max: 8 } });
    expect((await guest.running.liveConfig(patience())).cpus).toEqual({ count: 3, max: 3 });
    await guest.reconnect();
    expect((await guest.running.liveConfig(patience())).cpus).toEqual({ count: 3, max: 3 });
    const before = await guest.counter();
    await until("it counts on", async () => (await guest.counter()) > before);
  });

  test("sees a blank disk grow, and never shrink", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1", { disks: [blank("data", 2)] });
    const spec = await updateTo(guest, { disks: [blank("data", 5)] });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
    expect((await stat(join(guest.input.paths.diskFolder, "data.raw"))).size).toBe(5 * 1024 * 1024);
    await updateTo(guest, { disks: [blank("data", 3)] });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
  });

  test.runIf(requires("overlays that grow under a guest", "qemu-img"))(
    "sees an overlay over an image grow",
    async () => {
      await using world = await aQemuWorld();
      const path = join(world.folder, "image.raw");
      await writeFile(path, Buffer.alloc(1024 * 1024));
      const overlay = (sizeMiB: number): Disk => ({
        name: "root",
        origin: { kind: "image", image: "debian", path, format: "raw", sizeMiB },
        readonly: false,
      });
      const guest = await world.boot("web-1", { disks: [overlay(2)] });
      expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
      const spec = await updateTo(guest, { disks: [overlay(7)] });
      await guest.reconnect();
      expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
    },
  );

  test.runIf(requires("disks over NBD", "qemu-nbd"))(
    "has disks over the network, from its boot and attached later",
    async () => {
      await using world = await aQemuWorld();
      const [first, second] = await Promise.all(["a", "b"].map((name) => anNbdDisk(world.folder, name)));
      await using _servers = {
        [Symbol.asyncDispose]: () => Promise.all([first?.stop(), second?.stop()]).then(() => {}),
      };
      const disks = [first, second].map((server) => server?.disk as Disk);
      const guest = await world.boot("web-1", { disks: disks.slice(0, 1) });
      await guest.says(/TINY-START/);
      const spec = await updateTo(guest, { disks });
      expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
    },
  );

  test("gets disks and NICs attached, and an agent that comes later knows them by their own words", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await guest.says(/COUNTER 0/);
    await using file = await world.boot("disk-maker", { disks: [blank("extra", 1)] }).then(async (maker) => {
      await maker.running.quit(patience());
      return { path: join(maker.input.paths.diskFolder, "extra.raw"), [Symbol.asyncDispose]: async () => {} };
    });
    const extra: Disk = { name: "extra", origin: { kind: "external", url: `file://${file.path}` }, readonly: true };
    const spec = await updateTo(guest, {
      disks: [blank("root", 2), extra],
      nics: [userNic("eth0", "52:54:00:00:00:07")],
    });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
    await guest.reconnect();
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
  });

  test("without hot-plug support keeps its disk until its reset: held, and no other change is kept away", async () => {
    await using world = await aQemuWorld(300);
    const guest = await world.boot("web-1", {
      cpus: { count: 1, max: 2 },
      disks: [blank("data", 1)],
      nics: [userNic("eth0", "52:54:00:00:00:07")],
    });
    await guest.says(/COUNTER 0/);
    await updateTo(guest, { cpus: { count: 2, max: 2 }, disks: [], nics: [] });
    const has = async () => {
      const { cpus, disks, nics } = await guest.running.liveConfig(patience());
      return { cpus: cpus.count, disks: disks.length, nics: nics.length };
    };
    expect(await has()).toEqual({ cpus: 2, disks: 1, nics: 1 });
    const held = await guest.running.heldDevices?.(patience());
    expect(held).toMatchObject([{ path: "disks.data" }, { path: "nics.eth0" }]);
    // Asked once more: QEMU says that it was, and nobody waits.
    await updateTo(guest, { cpus: { count: 2, max: 2 }, disks: [], nics: [] });
    await guest.reconnect();
    expect(await guest.running.heldDevices?.(patience())).toEqual(held);

    // The next agent to come sees what a reset has done meanwhile, and closes the file behind the disk.
    await guest.running[Symbol.asyncDispose]();
    await resetPastTheAgent(guest);
    await guest.reconnect();
    await until("they are gone", async () => (await has()).disks === 0);
    expect(await has()).toMatchObject({ disks: 0, nics: 0 });
    expect(await guest.running.heldDevices?.(patience())).toEqual([]);
    const file = join(guest.input.paths.diskFolder, "data.raw");
    await until("its file is closed", async () => !(await openFilesOf(guest.process.pid)).includes(file));
  });

  test("has room for a few more devices, and says so when it has none left", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1");
    const nics = [1, 2, 3].map((n) => userNic(`eth${n}`, `52:54:00:00:00:0${n}`));
    await expect(updateTo(guest, { nics })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: "no free port is left in the running guest for NIC eth3",
    });
    expect((await guest.running.liveConfig(patience())).nics).toEqual(nics.slice(0, 2));
  });

  test("is served to one agent at a time: a second one is told why it waits", async () => {
    await using world = await aQemuWorld();
    const guest = await world.boot("web-1");
    const second = world.hypervisor.connect(guest.input, { fresh: false, signal: AbortSignal.timeout(200) });
    await expect(second).rejects.toThrow();
    expect(await phaseOf(guest.running)).toBe("running");
  });

  test("cannot open a disk that another guest has open", async () => {
    await using world = await aQemuWorld();
    const first = await world.boot("web-1", { disks: [blank("data", 1)] });
    const url = `file://${join(first.input.paths.diskFolder, "data.raw")}`;
    const thief: Disk = { name: "data", origin: { kind: "external", url }, readonly: false };
    const second = await world.boot("web-2");
    await expect(updateTo(second, { disks: [thief] })).rejects.toMatchObject({ code: "HYPERVISOR_FAILED" });
    expect((await second.running.liveConfig(patience())).disks).toEqual([]);
  });

  test("leaves its cloud-init seed unreadable to others, and no secret in its argument list", async () => {
    await using world = await aQemuWorld();
    const secret = "hunter2";
    const userData = "a".repeat(64);
    const guest = await world.boot(
      "web-1",
      { cloudInit: { userData: userData as never, networkConfig: null, sshKeys: [] } },
      { [userData]: `#cloud-config\npassword: ${secret}\n` },
    );
    await guest.says(/TINY-START/);
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
    const seed = join(guest.input.paths.diskFolder, "cloud-init.iso");
    expect((await readFile(seed)).includes(secret)).toBe(true);
    expect((await stat(seed)).mode & 0o077).toBe(0);
    expect(await readFile(`/proc/${guest.process.pid}/cmdline`, "utf8")).not.toContain(secret);
  });
});
