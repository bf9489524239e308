/** What only the double can be made to do: misbehave on demand, and be another release. What it shares with a real one is in contract.test.ts. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, stat, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import {
  type Answer,
  aVmConfig,
  type CloudHypervisorForTests,
  cloudHypervisorForTests,
  type RunningCloudHypervisor,
  type StartOptions,
  startCloudHypervisor,
} from "../../support/cloud-hypervisor.ts";
import type { DoubleSettings } from "../../support/cloud-hypervisor-double/install.ts";
import { until } from "../../support/until.ts";

const MEBI = 1024 * 1024;

interface World extends AsyncDisposable {
  readonly double: CloudHypervisorForTests;
  readonly vmm: RunningCloudHypervisor;
}

async function aDouble(settings: DoubleSettings = {}, options: StartOptions = {}): Promise<World> {
  const double = await cloudHypervisorForTests({ ...settings, double: true });
  const vmm = await startCloudHypervisor(double, options);
  return {
    double,
    vmm,
    async [Symbol.asyncDispose]() {
      await vmm[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

async function succeeds(asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

async function boot(vmm: RunningCloudHypervisor, over: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, over)));
  await succeeds(vmm.put("vm.boot"));
}

async function aRawDisk(folder: string, name: string): Promise<{ id: string; path: string; image_type: string }> {
  const path = join(folder, `${name}.raw`);
  await writeFile(path, "");
  await truncate(path, MEBI);
  return { id: name, path, image_type: "Raw" };
}

describe("the program", () => {
  const run = async (double: CloudHypervisorForTests, args: readonly string[]) => {
    const promised = promisify(execFile)(double.executable, [...args]);
    return promised.then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      (error: { code: number; stderr: string }) => ({ code: error.code, text: error.stderr }),
    );
  };

  test.each([
    ["50.0", "cloud-hypervisor v50.0.0\n"],
    ["52.0", "cloud-hypervisor v52.0.0\nMigration Protocol Versions: 0\n"],
    ["54.0", "cloud-hypervisor v54.0.0\nMigration Protocol Versions: 0\n"],
  ])("says that it is %s", async (version, text) => {
    await using double = await cloudHypervisorForTests({ version });
    expect(await run(double, ["--version"])).toEqual({ code: 0, text });
    const features = await run(double, ["-v", "--version"]);
    expect(features.text).toBe(`${text}Enabled features: ["io_uring", "kvm"]\n`);
  });

  test("says what a probe must cope with", async () => {
    await using double = await cloudHypervisorForTests({ knobs: { versionText: "something else 1.2" } });
    expect((await run(double, ["-V"])).text).toBe("something else 1.2\n");
  });

  test("refuses what it does not know, each release its own", async () => {
    await using old = await cloudHypervisorForTests({ version: "51.0" });
    await using recent = await cloudHypervisorForTests({ version: "53.0" });
    expect(await run(old, ["--no-shutdown"])).toMatchObject({
      code: 2,
      text: expect.stringContaining("unexpected argument '--no-shutdown' found"),
    });
    expect(await run(recent, ["--nope"])).toMatchObject({ code: 2 });
    expect(await run(recent, ["--api-socket"])).toMatchObject({
      code: 2,
      text: expect.stringContaining("a value is required"),
    });
    expect(await run(old, ["--seccomp", "errno"])).toMatchObject({
      code: 2,
      text: expect.stringContaining("[possible values: true, false, log]"),
    });
  });

  test("ends with 1 where it cannot start", async () => {
    await using double = await cloudHypervisorForTests({ double: true });
    const failed = await run(double, ["--api-socket", "path=/proc/no/ch.sock"]);
    expect(failed.code).toBe(1);
    expect(failed.text).toContain(
      "Error: Cloud Hypervisor exited with the following chain of errors:\n  0: Failed to start the VMM thread",
    );
    expect((await run(double, ["--event-monitor", "path=/proc/no/events"])).text).toContain(
      "0: Error doing event monitor I/O\n  1: No such file or directory (os error 2)",
    );
  });

  test("needs nothing but Node: it runs where there are no tests", () => {
    const folder = join(import.meta.dirname, "../../support/cloud-hypervisor-double");
    const imports = readdirSync(folder).flatMap((file) => [
      ...readFileSync(join(folder, file), "utf8").matchAll(/^(?:import|export|\}) .*from "([^"]+)";$/gm),
    ]);
    expect(imports.length).toBeGreaterThan(30);
    expect(imports.map((match) => match[1]).filter((name) => !/^(node:|\.\/)/.test(name ?? ""))).toEqual([]);
  });

  test("is small: dozens share a machine with the tests", async () => {
    await using world = await aDouble();
    await boot(world.vmm);
    const status = readFileSync(`/proc/${world.vmm.pid}/status`, "utf8");
    const kibibytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
    expect(kibibytes).toBeLessThan(64 * 1024);
  });

  test("a second one on the same socket is refused, or before 53 takes it away", async () => {
    await using recent = await aDouble({ version: "53.0" });
    await using refused = await startCloudHypervisor(recent.double, { folder: recent.vmm.folder, hasToServe: false });
    expect(await refused.ended).toEqual({ code: 1, signal: null });
    expect(refused.output()).toContain("is already in use by another running instance");
    expect((await recent.vmm.get("vmm.ping")).body).toMatchObject({ pid: recent.vmm.pid });

    await using old = await aDouble({ version: "52.0" });
    await using thief = await startCloudHypervisor(old.double, { folder: old.vmm.folder, hasToServe: false });
    const answersNow = async () =>
      ((await thief.get("vmm.ping").catch(() => null))?.body as { pid?: number } | undefined)?.pid;
    await until("the second has the socket", async () => (await answersNow()) === thief.pid);
  });
});

describe("releases", () => {
  test("fields that a release does not know it neither takes nor shows", async () => {
    await using old = await aDouble({ version: "50.0" }, { noShutdown: false });
    const disk = { ...(await aRawDisk(old.vmm.folder, "d")), pci_device_id: 7, backing_files: true };
    await boot(old.vmm, { disks: [disk] });
    const info = await old.vmm.info();
    const shown = (info.config.disks as Record<string, unknown>[])[0] ?? {};
    expect(shown).not.toHaveProperty("pci_device_id");
    expect(shown).not.toHaveProperty("backing_files");
    expect(shown.rate_limit_group).toBeNull();
    expect(info.device_tree?.["_virtio-pci-d"]?.pci_bdf).toBe("0000:00:01.0");
  });

  test("54 takes larger bodies, and asks the guest again", async () => {
    await using world = await aDouble({ version: "54.0" });
    await boot(world.vmm, { payload: { ...(aVmConfig("").payload as object), cmdline: "double-guest=never-eject" } });
    expect((await world.vmm.put("vm.resize", { desired_vcpus: 1, comment: "x".repeat(100_000) })).status).toBe(204);
    await succeeds(world.vmm.put("vm.add-disk", await aRawDisk(world.vmm.folder, "late")));
    await succeeds(world.vmm.put("vm.remove-device", { id: "late" }));
    await world.vmm.tellGuest("be-good");
    await succeeds(world.vmm.put("vm.remove-device", { id: "late" }));
    await world.vmm.untilEvent("vm/device-removed");
  });

  test("up to 52 a NIC removed twice is the end of the process", async () => {
    await using world = await aDouble({ version: "52.0" });
    const backend = createServer();
    const socket = join(world.vmm.folder, "net.sock");
    await new Promise<void>((resolve) => backend.listen(socket, resolve));
    try {
      await boot(world.vmm, {
        payload: { ...(aVmConfig("").payload as object), cmdline: "double-guest=never-eject" },
        memory: { size: 128 * MEBI, shared: true },
        net: [{ id: "n0", vhost_user: true, vhost_socket: socket }],
      });
      await succeeds(world.vmm.put("vm.remove-device", { id: "n0" }));
      expect(await world.vmm.put("vm.remove-device", { id: "n0" })).toMatchObject({ status: 500 });
      expect(await world.vmm.ended).toEqual({ code: 1, signal: null });
    } finally {
      backend.close();
    }
  });

  test.each([
    ["53.0", true],
    ["52.0", false],
  ])("%s: what the guest said while nobody listened is kept: %s", async (version, isKept) => {
    await using world = await aDouble({ version });
    await boot(world.vmm);
    await world.vmm.tellGuest("say first");
    const serial = await world.vmm.serial();
    await serial.says(/COUNTER/);
    expect(/TINY-START[\s\S]*first/.test(serial.said())).toBe(isKept);
  });
});

describe("the guest", () => {
  test("goes off by itself: the process stays with --no-shutdown, and ends without", async () => {
    await using staying = await aDouble();
    await boot(staying.vmm);
    await staying.vmm.tellGuest("power-off");
    await staying.vmm.untilEvent("vm/shutdown");
    await until("it is off", async () => (await staying.vmm.info()).state === "Created");
    await succeeds(staying.vmm.put("vm.boot"));

    await using leaving = await aDouble({}, { noShutdown: false });
    await boot(leaving.vmm);
    const serial = await leaving.vmm.serial();
    serial.types("q");
    expect(await leaving.vmm.ended).toEqual({ code: 0, signal: null });
    expect(leaving.vmm.events().slice(-3)).toEqual(["vm/shutdown", "vm/deleted", "vmm/shutdown"]);
  });

  test("honours the power button after a while, or never", async () => {
    await using good = await aDouble();
    await boot(good.vmm);
    const serial = await good.vmm.serial();
    await succeeds(good.vmm.put("vm.power-button"));
    await good.vmm.untilEvent("vm/shutdown");
    await serial.says(/POWER-BUTTON\nBYE/);

    await using bad = await aDouble({ knobs: { guest: { buttonMs: null } } });
    await boot(bad.vmm);
    await succeeds(bad.vmm.put("vm.power-button"));
    const deaf = await bad.vmm.serial();
    await deaf.says(/POWER-BUTTON[\s\S]*COUNTER \d+[\s\S]*COUNTER \d+/);
    expect((await bad.vmm.info()).state).toBe("Running");
  });

  test("reboots in the same process, from the first count on", async () => {
    await using world = await aDouble();
    await boot(world.vmm);
    await world.vmm.tellGuest("triple-fault");
    await world.vmm.untilEvent("vm/rebooted");
    const serial = await world.vmm.serial();
    await serial.says(/TINY-START\nCOUNTER 0/);
    expect((await world.vmm.info()).state).toBe("Running");
  });

  test("triple-faults while it boots, again and again", async () => {
    await using world = await aDouble();
    const cmdline = "double-guest=reset-after-ms:5";
    await boot(world.vmm, { payload: { ...(aVmConfig("").payload as object), cmdline } });
    await world.vmm.untilEvent("vm/rebooted", 5);
    await succeeds(world.vmm.put("vm.shutdown"));
  });

  test("whose own reboot fails takes the process with it", async () => {
    await using world = await aDouble();
    const disk = await aRawDisk(world.vmm.folder, "d");
    await boot(world.vmm, { disks: [disk] });
    await rename(disk.path, `${disk.path}.gone`);
    await world.vmm.tellGuest("reboot");
    expect(await world.vmm.ended).toEqual({ code: 1, signal: null });
    expect(world.vmm.events().at(-1)).toBe("vm/rebooting");
    expect(world.vmm.output()).toContain("Error rebooting VM");
    expect((await stat(world.vmm.apiSocket)).isSocket()).toBe(true);
  });

  test("panics: an event where pvpanic is there, and else nothing; the process takes no notice", async () => {
    await using world = await aDouble();
    await boot(world.vmm, { pvpanic: true });
    await world.vmm.tellGuest("panic");
    await world.vmm.untilEvent("guest/panic");
    expect(world.vmm.eventObjects().at(-1)).toMatchObject({
      source: "guest",
      event: "panic",
      properties: { event: "panic" },
    });
    expect((await world.vmm.info()).state).toBe("Running");

    await using silent = await aDouble();
    await boot(silent.vmm);
    await silent.vmm.tellGuest("panic");
    expect(silent.vmm.events()).not.toContain("guest/panic");
  });

  test.each([
    ["SIGKILL", { code: null, signal: "SIGKILL" }],
    ["SIGSYS", { code: null, signal: "SIGSYS" }],
    ["exit 1", { code: 1, signal: null }],
  ])("dies by %s", async (how, end) => {
    await using world = await aDouble();
    await boot(world.vmm);
    await world.vmm.tellGuest(`die ${how}`);
    expect(await world.vmm.ended).toEqual(end);
  });

  test("dies by itself when its command line says so", async () => {
    await using world = await aDouble();
    await boot(world.vmm, {
      payload: { ...(aVmConfig("").payload as object), cmdline: "quiet double-guest=die-after-ms:30" },
    });
    expect(await world.vmm.ended).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("says 10,000 lines at once, and none is lost", async () => {
    await using world = await aDouble({ knobs: { guest: { counterMs: 0 } } });
    await boot(world.vmm);
    const serial = await world.vmm.serial();
    await world.vmm.tellGuest("burst 10000");
    await serial.says(/LINE 9999\n/);
    const numbers = [...serial.said().matchAll(/LINE (\d+)\n/g)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
  });

  test("floods a client with as much as it takes", async () => {
    await using world = await aDouble({ knobs: { guest: { counterMs: 0 } } });
    await boot(world.vmm);
    const serial = await world.vmm.serial();
    const bytes = 8 * MEBI;
    await world.vmm.tellGuest(`flood ${bytes}`);
    await until("all came", () => serial.said().length >= bytes + "TINY-START\n".length);
    expect(serial.said().length).toBe(bytes + "TINY-START\n".length);
  });

  test("hears what is typed, and obeys what begins with !", async () => {
    await using world = await aDouble({ knobs: { guest: { counterMs: 0 } } });
    await boot(world.vmm);
    const serial = await world.vmm.serial();
    serial.types("hello");
    await serial.says(/hello$/);
    serial.types("!say ordered\n");
    await serial.says(/\nordered\n/);
    serial.types("!nonsense\n");
    await serial.says(/the guest does not know nonsense/);
  });

  test("lets a device go, and tells which from where", async () => {
    await using world = await aDouble();
    await boot(world.vmm);
    const disk = await aRawDisk(world.vmm.folder, "late");
    const { body } = await succeeds(world.vmm.put("vm.add-disk", disk));
    await succeeds(world.vmm.put("vm.remove-device", { id: "late" }));
    await world.vmm.untilEvent("vm/device-removed");
    expect(world.vmm.eventObjects().at(-1)).toMatchObject({ properties: body });
    expect((await succeeds(world.vmm.put("vm.add-disk", disk))).body).toEqual(body);
  });

  test("gives a vCPU back, and the next resize goes", async () => {
    await using world = await aDouble();
    await boot(world.vmm, { cpus: { boot_vcpus: 2, max_vcpus: 4 } });
    await succeeds(world.vmm.put("vm.resize", { desired_vcpus: 1 }));
    await until("it goes", async () => (await world.vmm.put("vm.resize", { desired_vcpus: 3 })).status === 204);
  });
});

describe("bad days", () => {
  test("events are late, cut, or lost", async () => {
    const knobs = { eventMs: 20, cutEvents: ["vm/booted"], loseEvents: ["vm/booting"] };
    await using world = await aDouble({ knobs });
    await boot(world.vmm);
    await succeeds(world.vmm.put("vm.pause"));
    expect(world.vmm.events()).not.toContain("vm/paused");
    const text = () => readFileSync(join(world.vmm.folder, "events"), "utf8");
    await until("the last is there", () => text().includes('"paused"'));
    expect(text()).not.toContain('"booting"');
    // Half an object, with the next right behind it: it takes that one along.
    expect(world.vmm.events()).toEqual(["vmm/starting", "vm/paused"]);
  });

  test("a slow route keeps all others waiting, a hanging one for ever", async () => {
    const isAsked = (vmm: RunningCloudHypervisor, route: string) => () => vmm.output().includes(`/api/v1/${route}`);
    await using slow = await aDouble({ knobs: { slow: { "vm.create": 100 } } }, { args: ["-v"] });
    const order: string[] = [];
    const created = slow.vmm.put("vm.create", aVmConfig(slow.vmm.folder)).then(() => order.push("created"));
    await until("it is under way", isAsked(slow.vmm, "vm.create"));
    const pinged = slow.vmm.get("vmm.ping").then(() => order.push("pinged"));
    await Promise.all([created, pinged]);
    expect(order).toEqual(["created", "pinged"]);

    await using hung = await aDouble({ knobs: { hang: ["vm.info"] } }, { args: ["-v"] });
    const answers: string[] = [];
    const asked = hung.vmm.get("vm.info").then(() => answers.push("info"));
    await until("it is under way", isAsked(hung.vmm, "vm.info"));
    const other = hung.vmm.get("vmm.ping").then(() => answers.push("ping"));
    hung.vmm.kill("SIGTERM");
    // One that started later has long answered and ended.
    await using later = await aDouble();
    await later.vmm.get("vmm.ping");
    later.vmm.kill("SIGTERM");
    await later.vmm.ended;
    expect(answers).toEqual([]);
    hung.vmm.kill("SIGKILL");
    const ends = await Promise.allSettled([hung.vmm.ended, asked, other]);
    expect(ends[0]).toEqual({ status: "fulfilled", value: { code: null, signal: "SIGKILL" } });
    expect(ends.slice(1).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("readers share an image, a writer does not", async () => {
    await using first = await aDouble();
    await using second = await startCloudHypervisor(first.double);
    const shared = { ...(await aRawDisk(first.vmm.folder, "d")), readonly: true };
    await boot(first.vmm, { disks: [shared] });
    await boot(second, { disks: [shared] });
    await succeeds(second.put("vm.shutdown"));
    expect(await second.put("vm.add-disk", { ...shared, id: "again", readonly: false })).toMatchObject({ status: 204 });
    expect(await second.put("vm.boot")).toMatchObject({
      status: 500,
      body: expect.arrayContaining([`Failed to get Write lock for disk image: ${shared.path}`]),
    });
  });

  test("landlock keeps it from what the VM was not made with", async () => {
    await using world = await aDouble();
    const known = await aRawDisk(world.vmm.folder, "known");
    const rules = join(world.vmm.folder, "allowed");
    await mkdir(rules);
    const allowed = await aRawDisk(rules, "allowed");
    await boot(world.vmm, { disks: [known], landlock_enable: true, landlock_rules: [{ path: rules, access: "rw" }] });
    await succeeds(world.vmm.put("vm.add-disk", allowed));
    const stranger = await aRawDisk(world.vmm.folder, "stranger");
    expect(await world.vmm.put("vm.add-disk", stranger)).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["Permission denied (os error 13)"]),
    });
  });

  test("a vhost-user back end keeps its connection while the device lives", async () => {
    await using world = await aDouble();
    let connected = 0;
    let gone = 0;
    const backend = createServer((socket) => {
      connected++;
      socket.on("error", () => {});
      socket.on("close", () => gone++);
      socket.resume();
    });
    const socket = join(world.vmm.folder, "fs.sock");
    await new Promise<void>((resolve) => backend.listen(socket, resolve));
    try {
      await boot(world.vmm, { memory: { size: 128 * MEBI, shared: true } });
      const fs = { id: "f0", tag: "share", socket, num_queues: 1, queue_size: 1024 };
      expect((await world.vmm.put("vm.add-fs", fs)).status).toBe(200);
      const generic = { socket, queue_sizes: [128], device_type: 26 };
      expect((await world.vmm.put("vm.add-generic-vhost-user", generic)).status).toBe(200);
      expect((await world.vmm.put("vm.add-user-device", { socket })).status).toBe(200);
      await until("all are connected", () => connected === 3);
      await succeeds(world.vmm.put("vm.reboot"));
      await until("all were dropped and came again", () => connected === 6 && gone === 3);
    } finally {
      backend.close();
      backend.unref();
    }
  });

  test("a core is written by a build that can", async () => {
    await using world = await aDouble({ knobs: { features: ["kvm", "guest_debug"] } });
    const core = join(world.vmm.folder, "core");
    expect((await world.vmm.put("vm.coredump", { destination_url: `file://${core}` })).status).toBe(500);
    await boot(world.vmm);
    await succeeds(world.vmm.put("vm.coredump", { destination_url: `file://${core}` }));
    expect(readFileSync(core).subarray(1, 4).toString()).toBe("ELF");
  });
});

describe("snapshots", () => {
  test("a guest goes on where it stood, its devices in their places", async () => {
    await using world = await aDouble({ knobs: { guest: { counterMs: 5 } } });
    const { vmm } = world;
    const url = `file://${join(vmm.folder, "snapshot")}`;
    await mkdir(join(vmm.folder, "snapshot"));
    await boot(vmm, { disks: [await aRawDisk(vmm.folder, "a"), await aRawDisk(vmm.folder, "b")] });
    await succeeds(vmm.put("vm.remove-device", { id: "a" }));
    await vmm.untilEvent("vm/device-removed");
    const serial = await vmm.serial();
    await serial.says(/COUNTER 9\n/);
    await succeeds(vmm.put("vm.pause"));
    const before = (await vmm.info()).device_tree;
    await succeeds(vmm.put("vm.snapshot", { destination_url: url }));
    expect(readdirSync(join(vmm.folder, "snapshot")).sort()).toEqual(["config.json", "memory-ranges", "state.json"]);
    expect(await vmm.put("vm.snapshot", { destination_url: url })).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["File exists (os error 17)"]),
    });
    await succeeds(vmm.put("vm.delete"));

    await succeeds(vmm.put("vm.restore", { source_url: url }));
    expect(await vmm.info()).toMatchObject({ state: "Paused", device_tree: before });
    await succeeds(vmm.put("vm.delete"));
    await succeeds(vmm.put("vm.restore", { source_url: url, resume: true }));
    expect((await vmm.info()).state).toBe("Running");
    const after = await vmm.serial();
    await after.says(/COUNTER \d+\n/);
    expect(after.said()).not.toContain("TINY-START");
    expect(Number(/COUNTER (\d+)/.exec(after.said())?.[1])).toBeGreaterThanOrEqual(9);
  });

  test("a restore that fails leaves nothing", async () => {
    await using world = await aDouble();
    const { vmm } = world;
    const folder = join(vmm.folder, "snapshot");
    await mkdir(folder);
    await boot(vmm);
    await succeeds(vmm.put("vm.pause"));
    await succeeds(vmm.put("vm.snapshot", { destination_url: `file://${folder}` }));
    await succeeds(vmm.put("vm.delete"));
    await writeFile(join(vmm.folder, "serial.sock"), "in the way");
    expect(await vmm.put("vm.restore", { source_url: `file://${folder}` })).toMatchObject({ status: 500 });
    expect((await vmm.get("vm.info")).status).toBe(404);
  });
});

describe("migrations", () => {
  interface Pair extends AsyncDisposable {
    readonly source: RunningCloudHypervisor;
    readonly destination: RunningCloudHypervisor;
    readonly disk: { readonly id: string; readonly path: string };
    /** Destination listens, source was told; what the destination's call will say. */
    begin(): Promise<{ readonly received: Promise<Answer> }>;
  }

  async function aPair(sending: DoubleSettings, receiving: DoubleSettings = sending): Promise<Pair> {
    const { vmm: source, double } = await aDouble(sending);
    const receiver = await cloudHypervisorForTests({ ...receiving, double: true });
    const destination = await startCloudHypervisor(receiver);
    const disk = await aRawDisk(source.folder, "d");
    await boot(source, { disks: [disk], serial: { mode: "Null" } });
    const url = `unix:${join(source.folder, "m.sock")}`;
    return {
      source,
      destination,
      disk,
      async begin() {
        const received = destination.put("vm.receive-migration", { receiver_url: url });
        await destination.untilEvent("vm/migration-receive-ready");
        await succeeds(source.put("vm.send-migration", { destination_url: url }));
        return { received };
      },
      async [Symbol.asyncDispose]() {
        for (const each of [source, destination, double, receiver]) await each[Symbol.asyncDispose]();
      },
    };
  }

  test("over TCP, too", async () => {
    await using pair = await aPair({});
    const { source, destination } = pair;
    const port = await aFreePort();
    const received = destination.put("vm.receive-migration", { receiver_url: `tcp:127.0.0.1:${port}` });
    await destination.untilEvent("vm/migration-receive-ready");
    await succeeds(source.put("vm.send-migration", { destination_url: `tcp:127.0.0.1:${port}`, connections: 4 }));
    await succeeds(received);
    expect(await source.ended).toEqual({ code: 0, signal: null });
    expect((await destination.info()).state).toBe("Running");
  });

  test("up to 52 the sender's call lasts as long as the migration", async () => {
    await using pair = await aPair({ version: "52.0" });
    const { received } = await pair.begin();
    expect(pair.source.events()).toContain("vm/migration-finished");
    await succeeds(received);
    expect(await pair.source.ended).toEqual({ code: 0, signal: null });
  });

  test("a destination that refuses the state is empty afterwards; the source resumes, without its locks", async () => {
    await using pair = await aPair({}, { knobs: { migration: { failAt: "state" } } });
    const { source, destination } = pair;
    const { received } = await pair.begin();
    expect(await received).toMatchObject({ status: 500, body: expect.arrayContaining(["Migration was aborted"]) });
    await source.untilEvent("vm/migration-failed");
    await source.untilEvent("vm/resumed");
    expect((await source.info()).state).toBe("Running");
    expect(destination.events()).toContain("vm/migration-receive-failed");
    expect((await destination.get("vm.info")).status).toBe(404);
    await boot(destination, { disks: [pair.disk] });
  });

  test("a connection that breaks at the end leaves a VM on both sides, and no word of it", async () => {
    await using pair = await aPair({}, { knobs: { migration: { failAt: "cut before complete" } } });
    const { source, destination } = pair;
    const { received } = await pair.begin();
    expect(await received).toMatchObject({ status: 500, body: expect.arrayContaining(["Socket error"]) });
    await source.untilEvent("vm/resumed");
    expect((await source.info()).state).toBe("Running");
    expect((await destination.info()).state).toBe("Paused");
    expect(destination.events()).not.toContain("vm/migration-receive-failed");
  });

  test("a destination that is killed: the source goes on", async () => {
    await using pair = await aPair({ knobs: { migration: { iterations: 10_000, iterationMs: 1 } } });
    const { source, destination } = pair;
    const { received } = await pair.begin();
    await source.untilEvent("vm/migration-memory-iteration", 3);
    expect(await source.put("vm.pause")).toMatchObject({ status: 500 });
    expect((await source.info()).state).toBe("Running");
    const lost = expect(received).rejects.toThrow();
    destination.kill("SIGKILL");
    await lost;
    await source.untilEvent("vm/migration-failed");
    await until("it is the source's again", async () => (await source.put("vm.pause")).status === 204);
  });

  test.each([
    ["SIGTERM", async (source: RunningCloudHypervisor) => source.kill("SIGTERM"), 1],
    ["the guest's power-off", (source: RunningCloudHypervisor) => source.tellGuest("power-off"), 1],
    [
      "vmm.shutdown, which is refused",
      async (source: RunningCloudHypervisor) => expect((await source.put("vmm.shutdown")).status).toBe(500),
      0,
    ],
  ])("%s while it migrates: the source is deaf until the end, and then gone", async (_what, stop, code) => {
    await using pair = await aPair({ knobs: { migration: { iterations: 10_000, iterationMs: 1 } } });
    const { source, destination } = pair;
    const { received } = await pair.begin();
    await source.untilEvent("vm/migration-memory-iteration", 3);
    await stop(source);
    const seen = source.events().length;
    await until("the worker goes on", () => source.events().length > seen + 3);
    const lost = expect(received).rejects.toThrow();
    destination.kill("SIGKILL");
    await lost;
    expect(await source.ended).toEqual({ code, signal: null });
    expect(source.events()).toContain("vm/migration-failed");
  });
});

async function aFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
