/** Guests on Cloud Hypervisor, a real one or the double: everything that the agent will do with them, without the agent. */
import { mkdir, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { RunningVm } from "../../../src/agent/hypervisor/hypervisor.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import type { Disk, VmSpec } from "../../../src/model/vm-spec.ts";
import { aCloudHypervisorWorld, outputOf, type TestGuest, UUID } from "../../support/cloud-hypervisor-world.ts";
import { patience } from "../../support/qemu-world.ts";
import { until } from "../../support/until.ts";

const blank = (name: string, sizeMiB: number): Disk => ({
  name,
  origin: { kind: "blank", sizeMiB },
  readonly: false,
});

const phaseOf = async (running: RunningVm) => (await running.status(patience())).phase;
const untilOff = (guest: TestGuest) => until("it is off", async () => (await phaseOf(guest.running)) === "off");

/** The spec after a live change, as lifecycle would ask for it. */
const updateTo = async (guest: TestGuest, over: Partial<VmSpec>): Promise<VmSpec> => {
  const spec = { ...guest.input.spec, ...over };
  await guest.running.update(spec, patience());
  return spec;
};

describe("a guest", () => {
  test("boots, speaks, and is exactly what its spec says", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", {
      cpus: { count: 1, max: 4 },
      memory: { sizeMiB: 128, maxMiB: 256 },
      disks: [blank("root", 2), { ...blank("spare", 1), readonly: true }],
    });
    await guest.says(/TINY-START[\s\S]*COUNTER 1/);
    expect(await guest.running.status(patience())).toEqual({ phase: "running" });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
  });

  test("stands still while it is paused; asking twice is asking once", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    await guest.running.pause(patience());
    await guest.running.pause(patience());
    expect(await phaseOf(guest.running)).toBe("paused");
    await guest.running.resume(patience());
    await guest.running.resume(patience());
    expect(await phaseOf(guest.running)).toBe("running");
  });

  test("goes on while no agent is there, and the next one finds it unchanged", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await guest.says(/COUNTER 0/);
    await guest.reconnect();
    expect(await phaseOf(guest.running)).toBe("running");
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
    expect(guest.said().match(/TINY-START/g)).toHaveLength(1);
  });

  test("that is told to quit takes its process with it, and its end is not called its own", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    await guest.running.quit(patience());
    expect(await world.supervisor.waitForExit(guest.process, patience())).toEqual({ code: 0, signal: null });
    await guest.running.quit(patience());
    expect(guest.told).toEqual([]);
  });

  test("that is killed cannot be reached any more, and nobody says that it powered itself off", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    process.kill(guest.process.pid, "SIGKILL");
    await world.supervisor.waitForExit(guest.process, patience());
    await expect(guest.running.status(patience())).rejects.toMatchObject({ code: "HYPERVISOR_UNAVAILABLE" });
    expect(guest.told).toEqual([]);
  });

  test("that is ended with SIGTERM did not power itself off either", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    process.kill(guest.process.pid, "SIGTERM");
    await world.supervisor.waitForExit(guest.process, patience());
    await expect(guest.running.status(patience())).rejects.toMatchObject({ code: "HYPERVISOR_UNAVAILABLE" });
  });

  test("counts what its devices do", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    const counters = await guest.running.abilities.counters?.(patience());
    expect(counters?.root).toMatchObject({ read_ops: expect.any(Number), write_bytes: expect.any(Number) });
  });

  test.each(["52.0", "53.0"])("has the UUID that it was given, and that is no difference (%s)", async (version) => {
    await using world = await aCloudHypervisorWorld({ double: true, version });
    const platformOf = async (guest: TestGuest) => {
      const answer = await guest.running.abilities.raw?.({ method: "GET", path: "vm.info", body: null }, patience());
      const { config } = JSON.parse(new TextDecoder().decode(answer?.body));
      return { uuid: null, ...config.platform };
    };
    const guest = await world.boot("web-1");
    expect(Object.values(await platformOf(guest))).toContain(UUID);
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));

    // One that an earlier agent booted has none, and needs no reboot for it.
    const { uuid: _, ...old } = await world.input("web-2");
    const started = await world.start(old);
    const running = await world.hypervisor.connect(old, { fresh: true, signal: patience() });
    const older = await world.adopt({ ...old, uuid: UUID }, started, running);
    await older.reconnect();
    expect(Object.values(await platformOf(older))).not.toContain(UUID);
    expect(await older.running.liveConfig(patience())).toEqual(toLiveConfig(old.spec));

    const own = "ffffffff-0000-4000-8000-000000000001";
    const named = await world.boot("web-3", { passthrough: { platform: { uuid: own } } });
    const values = Object.values(await platformOf(named));
    expect([values.includes(own), values.includes(UUID)]).toEqual([true, false]);
    expect(await named.running.liveConfig(patience())).toEqual(toLiveConfig(named.input.spec));
  });

  test("tells what it takes without an outage", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { cpus: { count: 1, max: 4 } });
    const rules = (await guest.running.changeRules?.(patience())) ?? [];
    expect(rules).toContainEqual(
      expect.objectContaining({ path: "cpus.count", change: "raise", class: "live", max: 4 }),
    );
    expect(rules).toContainEqual(expect.objectContaining({ path: "boot", class: "reboot" }));
  });

  test("answers whatever is asked of its API, in the API's own words", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    const { raw } = guest.running.abilities;
    const ask = async (method: string, path: string, body: unknown = null) => {
      const bytes = body === null ? null : new TextEncoder().encode(JSON.stringify(body));
      const answer = await raw?.({ method, path, body: bytes }, patience());
      return { status: answer?.status, text: new TextDecoder().decode(answer?.body) };
    };
    expect(await ask("GET", "vm.info")).toMatchObject({ status: 200, text: expect.stringContaining('"Running"') });
    expect(await ask("PUT", "vm.pause")).toMatchObject({ status: 204, text: "" });
    expect(await phaseOf(guest.running)).toBe("paused");
    expect(await ask("PUT", "vm.pause")).toMatchObject({
      status: 500,
      text: expect.stringContaining("Error from API"),
    });
    expect((await ask("PUT", "vm.no-such-thing")).status).toBe(404);
    await expect(ask("PUT", "vm.create", { payload: { cmdline: "x".repeat(5_000_000) } })).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
  });

  test("that was shut down by hand is off by hand, also for an agent that comes later", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    await guest.running.abilities.raw?.({ method: "PUT", path: "vm.shutdown", body: null }, patience());
    expect(await guest.running.status(patience())).toMatchObject({
      phase: "off",
      reason: expect.stringMatching(/by hand/),
    });
    await guest.reconnect();
    expect(await guest.running.status(patience())).toMatchObject({
      phase: "off",
      reason: expect.stringMatching(/by hand/),
    });
    expect(guest.told).toEqual([]);
  });

  test("confined by Landlock is the same guest", async () => {
    await using world = await aCloudHypervisorWorld({ landlock: true });
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await guest.says(/COUNTER 0/);
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
  });

  test("whose memory is to be dumped says how, where its Cloud Hypervisor was built without that", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    await expect(guest.running.abilities.coredump?.(join(world.folder, "core"), patience())).rejects.toMatchObject({
      code: "UNSUPPORTED",
      hint: expect.stringContaining("guest_debug"),
    });
  });
});

describe("a boot that fails", () => {
  test("says why, in Cloud Hypervisor's own words, and leaves an empty process", async () => {
    await using world = await aCloudHypervisorWorld();
    const input = await world.input("web-1", {
      boot: { kind: "kernel", kernel: join(world.folder, "no-kernel"), initramfs: null, cmdline: "" },
    });
    await world.start(input);
    await expect(world.hypervisor.connect(input, { fresh: true, signal: patience() })).rejects.toMatchObject({
      code: "HYPERVISOR_FAILED",
      message: expect.stringMatching(/vm\.boot.*kernel.*No such file/s),
    });
    const again = await world.hypervisor.connect(input, { fresh: false, signal: patience() });
    expect(await again.status(patience())).toMatchObject({ phase: "off", endedBy: "failure" });
    await again[Symbol.asyncDispose]();
  });

  test("is found out before there is a process where the spec alone tells", async () => {
    await using world = await aCloudHypervisorWorld();
    const input = await world.input("web-1", { passthrough: { disks: [{ id: "more", path: "/x", num_queues: 9 }] } });
    expect(() => world.hypervisor.compile(input)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringContaining("num_queues") }),
    );
  });

  test("leaves the last words of a process that ended at once, and does not outlast its caller", async () => {
    await using world = await aCloudHypervisorWorld({ knobs: { startFails: 1 } });
    const input = await world.input("web-1");
    const started = await world.start(input);
    const ended = world.supervisor.waitForExit(started, patience());
    const attempt = world.hypervisor.connect(input, {
      fresh: true,
      signal: AbortSignal.any([patience(), whenDone(ended)]),
    });
    await expect(attempt).rejects.toThrow();
    expect(await ended).toMatchObject({ code: 1 });
    expect(await outputOf(input)).not.toBe("");
  });
});

const whenDone = (work: Promise<unknown>): AbortSignal => {
  const controller = new AbortController();
  void work.then(() => controller.abort());
  return controller.signal;
};

describe("a guest of the double", () => {
  test("answers the power button, and is then off by its own hand, its process still there to say so", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1");
    await guest.running.powerButton(patience());
    await untilOff(guest);
    expect(await guest.running.status(patience())).toMatchObject({ phase: "off", endedBy: "guest" });
    expect(guest.changes()).toBeGreaterThan(0);
    expect(guest.told).toEqual([{ kind: "power-off", message: "the guest powered itself off" }]);
    expect(world.supervisor.isRunning(guest.process)).toBe(true);
  });

  test("that powers off, reboots and panics while nobody looks is found out by the next agent, once", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1");
    await guest.leave();
    for (const line of ["panic", "reboot"]) await guest.does(line);
    await guest.reconnect();
    await until("both are told", () => guest.told.length === 2);
    expect(guest.told.map(({ kind }) => kind).sort()).toEqual(["panic", "reboot"]);
    await guest.leave();
    await guest.does("power-off");
    await guest.reconnect();
    await untilOff(guest);
    await guest.reconnect();
    expect(await guest.running.status(patience())).toMatchObject({ phase: "off", endedBy: "guest" });
    expect(guest.told.map(({ kind }) => kind).sort()).toEqual(["panic", "power-off", "reboot"]);
  });

  test("reboots by itself, is told of, and is what it was", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await guest.does("reboot");
    await until("it is told", () => guest.told.some(({ kind }) => kind === "reboot"));
    expect(await phaseOf(guest.running)).toBe("running");
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
  });

  test("whose events are all lost is still seen to be off", async () => {
    await using world = await aCloudHypervisorWorld({ knobs: { loseEvents: ["vm/shutdown", "vm/booted"] } });
    const guest = await world.boot("web-1");
    await guest.does("power-off");
    await untilOff(guest);
    expect(await guest.running.status(patience())).toMatchObject({ phase: "off", endedBy: "guest" });
  });

  test("whose events come late or cut is seen as it is", async () => {
    await using world = await aCloudHypervisorWorld({
      knobs: { eventMs: 300, cutEvents: ["vm/rebooting", "vm/shutdown"] },
    });
    const guest = await world.boot("web-1");
    await guest.does("reboot");
    await until("the reboot is told", () => guest.told.some(({ kind }) => kind === "reboot"));
    await guest.does("power-off");
    await untilOff(guest);
    expect(await guest.running.status(patience())).toMatchObject({ phase: "off", endedBy: "guest" });
  });

  test.each(["50.0", "51.0"])(
    "on v%s takes its process with it, and is believed to have powered itself off",
    async (version) => {
      await using world = await aCloudHypervisorWorld({ version });
      const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
      expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
      await guest.does("power-off");
      expect(await world.supervisor.waitForExit(guest.process, patience())).toEqual({ code: 0, signal: null });
      expect(await guest.running.status(patience())).toMatchObject({ phase: "off", endedBy: "guest" });
    },
  );

  test("whose process ended while nobody looked has left word of how, if it was its own end", async () => {
    await using old = await aCloudHypervisorWorld({ version: "51.0" });
    const off = await old.boot("web-1");
    await off.leave();
    await off.does("power-off");
    await old.supervisor.waitForExit(off.process, patience());
    expect(await old.hypervisor.lastWord?.(off.input)).toMatchObject({ phase: "off", endedBy: "guest" });
    await using world = await aCloudHypervisorWorld({ double: true });
    const killed = await world.boot("web-1");
    await killed.leave();
    process.kill(killed.process.pid, "SIGTERM");
    await world.supervisor.waitForExit(killed.process, patience());
    expect(await world.hypervisor.lastWord?.(killed.input)).toBeNull();
    expect(await world.hypervisor.lastWord?.(await world.input("web-2"))).toBeNull();
  });

  test.each(["50.0", "52.0", "54.0"])("on v%s is what its spec says, and is changed", async (version) => {
    await using world = await aCloudHypervisorWorld({ version });
    const guest = await world.boot("web-1", { cpus: { count: 1, max: 2 }, disks: [blank("root", 2)] });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
    const spec = await updateTo(guest, { cpus: { count: 2, max: 2 } });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig(spec));
  });

  test("dumps its memory where its Cloud Hypervisor was built for it", async () => {
    await using world = await aCloudHypervisorWorld({ knobs: { features: ["kvm", "guest_debug"] } });
    const guest = await world.boot("web-1");
    const file = join(world.folder, "core");
    await guest.running.abilities.coredump?.(file, patience());
    expect((await stat(file)).isFile()).toBe(true);
    expect(await phaseOf(guest.running)).toBe("running");
  });

  test("takes an NMI", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1");
    await guest.running.abilities.nmi?.(patience());
    expect(await phaseOf(guest.running)).toBe("running");
  });

  test("that hangs is told to be silent, within the caller's patience", async () => {
    await using world = await aCloudHypervisorWorld({ knobs: { hang: ["vm.info"] } });
    const guest = await world.boot("web-1");
    const soon = AbortSignal.timeout(200);
    await expect(guest.running.status(soon)).rejects.toMatchObject({ name: "TimeoutError" });
    await expect(guest.running.pause(AbortSignal.timeout(200))).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

describe("a snapshot", () => {
  test("is written while the guest stands still, and it runs on afterwards", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await guest.says(/COUNTER 1\s/);
    const folder = join(world.folder, "a snapshot, 100%20 grün");
    await mkdir(folder);
    await guest.running.abilities.snapshot?.(folder, patience());
    expect(await phaseOf(guest.running)).toBe("running");
    expect((await readdir(folder)).sort()).toEqual(["config.json", "memory-ranges", "state.json"]);
    await guest.running.quit(patience());
    await world.supervisor.waitForExit(guest.process, patience());
    await guest.leave();
    const restored = await world.restore("web-1", folder, { disks: [blank("root", 2)] });
    expect(await phaseOf(restored.running)).toBe("running");
    expect(await restored.running.liveConfig(patience())).toEqual(toLiveConfig(guest.input.spec));
    await restored.says(/COUNTER [2-9]/);
    expect(restored.said()).not.toContain("TINY-START");
  });

  test.each(["50.0", "52.0"])("of v%s comes back running", async (version) => {
    await using world = await aCloudHypervisorWorld({ version });
    const guest = await world.boot("web-1");
    const folder = join(world.folder, "snap");
    await mkdir(folder);
    await guest.running.abilities.snapshot?.(folder, patience());
    await guest.running.quit(patience());
    await world.supervisor.waitForExit(guest.process, patience());
    await guest.leave();
    const restored = await world.restore("web-1", folder);
    expect(await phaseOf(restored.running)).toBe("running");
  });

  test("leaves a guest paused that was", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1");
    await guest.running.pause(patience());
    const folder = join(world.folder, "snap");
    await mkdir(folder);
    await guest.running.abilities.snapshot?.(folder, patience());
    expect(await phaseOf(guest.running)).toBe("paused");
  });

  test("that cannot be written leaves the guest running and nothing behind", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1");
    const snapshot = (folder: string) => guest.running.abilities.snapshot?.(folder, patience());
    await expect(snapshot(join(world.folder, "nowhere"))).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(snapshot(guest.input.paths.runFolder)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringContaining("not empty"),
    });
    expect(await phaseOf(guest.running)).toBe("running");
  });

  test("that the caller gives up still lets the guest run on", async () => {
    await using world = await aCloudHypervisorWorld({ knobs: { slow: { "vm.snapshot": 500 } } });
    const guest = await world.boot("web-1");
    const folder = join(world.folder, "snap");
    await mkdir(folder);
    await expect(guest.running.abilities.snapshot?.(folder, AbortSignal.timeout(150))).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(await phaseOf(guest.running)).toBe("running");
  });
});

test("the file of events is followed through a cut in the middle of a guest's life", async () => {
  await using world = await aCloudHypervisorWorld({ double: true });
  const guest = await world.boot("web-1");
  await truncate(join(guest.input.paths.runFolder, "events.json"), 0);
  await guest.does("reboot");
  await until("the reboot is told", () => guest.told.some(({ kind }) => kind === "reboot"));
  expect(await phaseOf(guest.running)).toBe("running");
});
