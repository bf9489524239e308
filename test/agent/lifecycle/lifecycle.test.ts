import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { digestOfText } from "../../../src/model/digest.ts";
import { vmName } from "../../../src/model/names.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import type { AgentEvent } from "../../../src/wire/operations.ts";
import { anAgent, aSpec, NEVER, withProcess } from "../../support/an-agent.ts";
import { until } from "../../support/until.ts";

const gives = (code: string) => expect.objectContaining({ code });

test("a VM is defined, booted, shut down and deleted, and its disk stays until it is purged", async () => {
  await using agent = await anAgent();
  const created = await agent.put("web-1", { commit: "c1" });
  expect(created).toMatchObject({ outcome: "done", kind: "create", noop: false, error: null });
  expect(created.after).toMatchObject({
    phase: "stopped",
    generation: 1,
    serial: 1,
    endedBy: null,
    live: null,
    fleet: "shop",
    commit: "c1",
  });

  expect((await agent.boot("web-1")).after).toMatchObject({ phase: "running", serial: 2, drift: [], pid: null });
  expect((await agent.boot("web-1")).noop).toBe(true);
  expect((await agent.shutdown("web-1")).after).toMatchObject({
    phase: "stopped",
    serial: 3,
    endedBy: "operator",
    reason: "it powered off when asked",
    live: null,
  });
  const deleted = await agent.operate("web-1", { kind: "delete", graceSeconds: null });
  expect(deleted).toMatchObject({ outcome: "done", after: null, tombstone: { disks: ["root"] } });
  await expect(agent.vm("web-1")).rejects.toEqual(gives("NOT_FOUND"));
  const report = await agent.lifecycle.report(NEVER);
  expect(report).toMatchObject({
    vms: [],
    unfinished: [],
    tombstones: [{ name: "web-1", generation: 1, serial: 4, disks: ["root"] }],
  });
  expect(report.unreadable).toBeUndefined();
  const disks = join(agent.dataFolder, "vms/web-1/disks");
  expect(await readdir(disks)).toEqual(["root.qcow2.placeholder"]);

  const purged = await agent.operate("web-1", { kind: "purge" });
  expect([purged.outcome, purged.tombstone]).toEqual(["done", undefined]);
  await expect(stat(disks)).rejects.toEqual(gives("ENOENT"));
  expect((await agent.lifecycle.report(NEVER)).tombstones).toEqual([]);
});

test("the record and the texts are for the agent's eyes only, and texts go when nothing needs them", async () => {
  await using agent = await anAgent();
  const text = "#cloud-config\npassword: hunter2\n";
  const digest = digestOfText(text);
  const cloudInit = { userData: digest, networkConfig: null, sshKeys: [] };
  await agent.put("web-1", { spec: aSpec({ cloudInit }), files: { [digest]: text } });
  const folder = join(agent.dataFolder, "vms/web-1");
  for (const file of ["record.json", `texts/${digest}`])
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(folder, "record.json"), "utf8")).not.toContain("hunter2");
  expect(JSON.stringify(await agent.lifecycle.report(NEVER))).not.toContain("hunter2");
  await agent.put("web-1", { generation: 2, spec: aSpec() });
  expect(await readdir(join(folder, "texts"))).toEqual([]);
});

test("a text that was not sent, or is not what its digest says, is refused before anything happens", async () => {
  await using agent = await anAgent();
  const digest = digestOfText("right");
  const spec = aSpec({ cloudInit: { userData: digest, networkConfig: null, sshKeys: [] } });
  await expect(agent.put("web-1", { spec })).rejects.toEqual(gives("BAD_REQUEST"));
  await expect(agent.put("web-1", { spec, files: { [digest]: "wrong" } })).rejects.toEqual(gives("BAD_REQUEST"));
  expect((await agent.lifecycle.report(NEVER)).vms).toEqual([]);
});

test.each(["../etc", "web_1", "Web-1", "", "a".repeat(64), "-a"])("%j is no name, at the door", async (name) => {
  await using agent = await anAgent();
  await expect(agent.put(name)).rejects.toEqual(gives("BAD_REQUEST"));
  await expect(agent.boot(name)).rejects.toEqual(gives("BAD_REQUEST"));
});

test("a disk's name cannot lead out of its folder", async () => {
  await using agent = await anAgent();
  const disk = { name: "../../x", origin: { kind: "blank", sizeMiB: 1 }, readonly: false } as const;
  await expect(agent.put("web-1", { spec: aSpec({ disks: [disk] }) })).rejects.toEqual(gives("BAD_REQUEST"));
});

test("a second request with the same id joins the first, and later gets its outcome", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/boot-delay": "50ms" } }) });
  const [first, second] = await Promise.all([
    agent.operate("web-1", { kind: "boot", id: "b1" }),
    agent.operate("web-1", { kind: "boot", id: "b1" }),
  ]);
  expect(first).toEqual(second);
  expect(first).toMatchObject({ outcome: "done", noop: false });
  const serial = (await agent.vm("web-1")).serial;
  expect(await agent.operate("web-1", { kind: "boot", id: "b1" })).toMatchObject({ outcome: "done", noop: false });
  expect((await agent.vm("web-1")).serial).toBe(serial);
  expect(agent.lifecycle.operation("b1")).toMatchObject({ outcome: "done", kind: "boot", vm: "web-1" });
  await agent.restart();
  expect(agent.lifecycle.operation("b1")).toMatchObject({ outcome: "done" });
  expect(agent.lifecycle.operation("never")).toBeNull();
});

test("an operation goes on when its caller goes away, and can be asked for by its id", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/boot-delay": "100ms" } }) });
  const caller = new AbortController();
  const asked = agent.lifecycle.operate(vmName("web-1"), { id: "b1", kind: "boot", expect: null }, caller.signal);
  await until("it is starting", async () => (await agent.vm("web-1")).phase === "starting");
  expect(agent.lifecycle.operation("b1")).toMatchObject({ outcome: "running", kind: "boot" });
  expect((await agent.lifecycle.report(NEVER)).unfinished).toMatchObject([{ id: "b1", vm: "web-1", kind: "boot" }]);
  caller.abort();
  await expect(asked).rejects.toThrow();
  await until("it runs", async () => (await agent.vm("web-1")).phase === "running");
});

test("operations on one VM take turns; different VMs do not wait for each other", async () => {
  await using agent = await anAgent();
  const slow = aSpec({ annotations: { "noop.odorobo.dev/boot-delay": "200ms" } });
  await agent.put("slow", { spec: slow });
  await agent.put("fast");
  const ended: string[] = [];
  const note = (what: string) => () => void ended.push(what);
  await Promise.all([
    agent.boot("slow").then(note("slow booted")),
    agent.operate("slow", { kind: "pause" }).then(note("slow paused")),
    agent.boot("fast").then(note("fast booted")),
  ]);
  expect(ended).toEqual(["fast booted", "slow booted", "slow paused"]);
});

test("a running guest takes on what can change live; the rest is drift, a reboot is owed", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.boot("web-1");
  const updated = await agent.put("web-1", {
    generation: 2,
    spec: aSpec({ cpus: { count: 3, max: 4 }, memory: { sizeMiB: 256, maxMiB: 1024 } }),
  });
  expect(updated.after).toMatchObject({ phase: "running", generation: 2, serial: 3 });
  expect(updated.after?.live).toMatchObject({ cpus: { count: 3, max: 4 }, memory: { sizeMiB: 256, maxMiB: 512 } });
  expect(updated.after?.drift).toEqual([{ path: "memory.max", applied: 1024, live: 512 }]);
  const { serial } = await agent.vm("web-1");
  expect(serial).toBe(3);
  const rebooted = await agent.operate("web-1", { kind: "reboot", graceSeconds: null });
  expect(rebooted.after).toMatchObject({ phase: "running", drift: [], serial: 4 });
});

test("a live change that fails leaves the new spec applied and the difference as drift", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.boot("web-1");
  const spec = aSpec({ cpus: { count: 2, max: 4 }, annotations: { "noop.odorobo.dev/fail": "update" } });
  const updated = await agent.put("web-1", { generation: 2, spec });
  expect(updated).toMatchObject({ outcome: "failed", error: { code: "HYPERVISOR_FAILED" } });
  expect(updated.after).toMatchObject({
    generation: 2,
    phase: "running",
    drift: [{ path: "cpus.count", applied: 2, live: 1 }],
  });
});

test("a guest changed, paused or killed by hand is noticed, and each raises the serial once", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  const booted = await agent.boot("web-1");
  const seen: AgentEvent[] = [];
  agent.lifecycle.events.subscribe((event) => seen.push(event));
  const file = join(agent.runFolder, "vms/web-1/guest.json");
  const change = async (edit: (guest: { phase: string; live: { cpus: { count: number } } }) => void) => {
    const guest = JSON.parse(await readFile(file, "utf8"));
    edit(guest);
    await writeFile(file, JSON.stringify(guest));
  };
  const serial = booted.after?.serial as number;
  await change((guest) => {
    guest.live.cpus.count = 4;
  });
  // Without a report: the agent hears of it.
  await until("drift is heard of", () => seen.some((event) => event.kind === "drift"));
  const drifted = await agent.vm("web-1");
  expect(drifted).toMatchObject({ serial: serial + 1, drift: [{ path: "cpus.count", applied: 1, live: 4 }] });
  await change((guest) => {
    guest.phase = "paused";
  });
  await until("the pause is heard of", () => seen.some((event) => event.message.includes("paused by someone else")));
  expect(await agent.vm("web-1")).toMatchObject({
    phase: "paused",
    reason: "paused by someone else",
    serial: serial + 2,
  });
  await rm(file);
  await until("the death is heard of", () => seen.some((event) => event.message.includes("crashed")));
  const dead = await agent.vm("web-1");
  expect(dead).toMatchObject({ phase: "crashed", endedBy: "failure", live: null, drift: [], serial: serial + 3 });
  await agent.restart();
  expect(await agent.vm("web-1")).toEqual(dead);
});

test("a guest that powers itself off is stopped by the guest", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/poweroff-after": "20ms" } }) });
  await agent.boot("web-1");
  await until("it is off", async () => (await agent.vm("web-1")).phase === "stopped");
  expect(await agent.vm("web-1")).toMatchObject({ endedBy: "guest", serial: 3 });
});

test("a process killed from outside is a crash with its signal", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  const booted = await agent.boot("web-1");
  expect(booted.after?.pid).toBe(agent.processes.running()[0]?.pid);
  agent.processes.end(booted.after?.pid as number, { code: null, signal: "SIGKILL" });
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "crashed");
  const crashed = await agent.vm("web-1");
  expect(crashed).toMatchObject({ endedBy: "failure", pid: null });
  expect(crashed.reason).toContain("SIGKILL");
});

test("a guest that powers off while its process lingers is reaped", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/poweroff-after": "20ms" } }) });
  await agent.boot("web-1");
  await until("its process is gone", () => agent.processes.running().length === 0);
  await until("it is off", async () => (await agent.vm("web-1")).phase === "stopped");
  expect(await agent.vm("web-1")).toMatchObject({ endedBy: "guest", pid: null });
});

test("a guest that ignores its power button is cut off after the grace, and the reason says so", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/ignore-power-button": "true" } }) });
  await agent.boot("web-1");
  const shut = await agent.shutdown("web-1", 0.1);
  expect(shut.after).toMatchObject({
    phase: "stopped",
    endedBy: "operator",
    reason: "cut off: it did not power off within 0.1 s",
  });
  expect(agent.processes.running()).toEqual([]);
});

test("without grace nobody is asked, and a grace under way ends early", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/ignore-power-button": "true" } }) });
  await agent.boot("web-1");
  const patient = agent.shutdown("web-1", 60);
  await until("the button is pressed", async () => (await agent.vm("web-1")).phase === "stopping");
  const urgent = await agent.shutdown("web-1", 0);
  expect((await patient).after?.reason).toBe("cut off: a later request could not wait");
  expect(urgent).toMatchObject({ outcome: "done", noop: true });
});

test("a power button that went unheard, in a guest that still boots, is pressed again", async () => {
  const noop = createNoopHypervisor({ clock: systemClock });
  let presses = 0;
  const deafAtFirst: Hypervisor = {
    ...noop,
    async connect(vm, options) {
      const running = await noop.connect(vm, options);
      const powerButton = running.powerButton.bind(running);
      running.powerButton = async (signal) => {
        if (++presses > 1) await powerButton(signal);
      };
      return running;
    },
  };
  await using agent = await anAgent({ hypervisors: [deafAtFirst], clock: systemClock });
  await agent.put("web-1");
  await agent.boot("web-1");
  expect((await agent.shutdown("web-1", 10)).after?.reason).toBe("it powered off when asked");
  expect(presses).toBe(2);
});

test("a hypervisor that ends at its start is quoted", async () => {
  const noop = createNoopHypervisor({ clock: systemClock });
  const args = ["-c", 'echo "early chatter"; printf "\\033[31mno such machine: q36\\n" >&2; exit 3'];
  const doomed: Hypervisor = {
    ...withProcess(noop, { executable: "sh", args }),
    connect: (_, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
  };
  await using agent = await anAgent({ hypervisors: [doomed], supervisor: createSpawnSupervisor() });
  await agent.put("web-1");
  for (const serial of [2, 3]) {
    const failed = await agent.boot("web-1");
    expect(failed).toMatchObject({ outcome: "failed", error: { code: "HYPERVISOR_FAILED" } });
    expect(failed.after).toMatchObject({ phase: "crashed", pid: null, serial });
    // Of this start only, and harmless on a terminal.
    expect(failed.after?.reason).toBe("noop of web-1 ended (exit status 3): early chatter · [31mno such machine: q36");
  }
});

test("many who ask at once share one look", async () => {
  const noop = createNoopHypervisor({ clock: systemClock });
  let looks = 0;
  const counted: Hypervisor = {
    ...noop,
    async connect(vm, options) {
      const running = await noop.connect(vm, options);
      const status = running.status.bind(running);
      running.status = (signal) => {
        looks++;
        return status(signal);
      };
      return running;
    },
  };
  await using agent = await anAgent({ hypervisors: [counted] });
  await agent.put("web-1");
  await agent.boot("web-1");
  looks = 0;
  await Promise.all(Array.from({ length: 50 }, () => agent.lifecycle.report(NEVER)));
  expect(looks).toBeLessThanOrEqual(2);
});

test("a paused guest can be shut down properly", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.boot("web-1");
  expect((await agent.operate("web-1", { kind: "pause" })).after).toMatchObject({
    phase: "paused",
    reason: "paused by an operator",
  });
  expect((await agent.operate("web-1", { kind: "pause" })).noop).toBe(true);
  expect((await agent.shutdown("web-1")).after?.reason).toBe("it powered off when asked");
});

test("ready is when the text appears on the serial line of this boot", async () => {
  await using agent = await anAgent();
  const ready = { kind: "serial", pattern: "login:", timeoutSeconds: 5 } as const;
  await agent.put("web-1", { spec: aSpec({ ready, annotations: { "noop.odorobo.dev/ready-delay": "60ms" } }) });
  const booting = agent.boot("web-1");
  await until("it starts", async () => (await agent.vm("web-1")).phase === "starting");
  expect((await booting).after).toMatchObject({ phase: "running", ready: true });
  const { log } = await agent.lifecycle.serial(vmName("web-1"));
  expect(await readFile(log as string, "utf8")).toContain("NOOP-START web-1");

  await agent.shutdown("web-1");
  const late = aSpec({
    ready: { ...ready, timeoutSeconds: 0.05 },
    annotations: { "noop.odorobo.dev/ready-delay": "10s" },
  });
  await agent.put("web-1", { generation: 2, spec: late });
  // The text of the first boot is in the same log and must not count.
  const second = await agent.boot("web-1");
  expect(second).toMatchObject({ outcome: "failed", error: { code: "GUEST_NOT_READY" } });
  expect(second.after).toMatchObject({ phase: "running", ready: false });
  await appendFile(log as string, "login:\n");
  await until("it is ready after all", async () => (await agent.vm("web-1")).ready === true);
  expect((await agent.vm("web-1")).serial).toBe(second.after?.serial);
});

test("who ends a guest need not wait until it is ready", async () => {
  await using agent = await anAgent();
  const ready = { kind: "serial", pattern: "login:", timeoutSeconds: 60 } as const;
  await agent.put("web-1", { spec: aSpec({ ready, annotations: { "noop.odorobo.dev/ready-delay": "1h" } }) });
  const booting = agent.boot("web-1");
  await until("it starts", async () => (await agent.vm("web-1")).phase === "starting");
  expect((await agent.shutdown("web-1")).after).toMatchObject({ phase: "stopped" });
  expect(await booting).toMatchObject({ outcome: "failed", error: { code: "GUEST_NOT_READY" } });
});

test("a boot that fails leaves nothing behind and says why", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/fail": "boot" } }) });
  const failed = await agent.boot("web-1");
  expect(failed).toMatchObject({ outcome: "failed", error: { code: "HYPERVISOR_FAILED" } });
  expect(failed.after).toMatchObject({ phase: "crashed", endedBy: "failure", pid: null, serial: 2 });
  expect(failed.after?.reason).toContain("boot of web-1 fails");
  expect(agent.processes.running()).toEqual([]);
});

test("a VM that cannot be created is refused, and nothing is there", async () => {
  await using agent = await anAgent();
  const spec = aSpec({ annotations: { "noop.odorobo.dev/fail": "create" } });
  await expect(agent.put("web-1", { spec })).rejects.toEqual(gives("HYPERVISOR_FAILED"));
  const elsewhere = aSpec({ hypervisor: "qemu" });
  await expect(agent.put("web-1", { spec: elsewhere })).rejects.toEqual(gives("HYPERVISOR_UNAVAILABLE"));
  expect(await agent.lifecycle.report(NEVER)).toMatchObject({ vms: [], tombstones: [] });
  expect(await readdir(join(agent.dataFolder, "vms"))).toEqual([]);
});

test("a deleted VM comes back with its disks; one of another image is set aside, not overwritten", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  const disks = join(agent.dataFolder, "vms/web-1/disks");
  await appendFile(join(disks, "root.qcow2.placeholder"), "precious");
  await agent.operate("web-1", { kind: "delete", graceSeconds: null });
  await expect(agent.put("web-1", { generation: 1 })).rejects.toEqual(gives("STALE_GENERATION"));
  expect((await agent.put("web-1", { generation: 2 })).after).toMatchObject({
    generation: 2,
    serial: 3,
    phase: "stopped",
  });
  expect(await readFile(join(disks, "root.qcow2.placeholder"), "utf8")).toContain("precious");

  await agent.operate("web-1", { kind: "delete", graceSeconds: null });
  const origin = {
    kind: "image",
    image: "debian-13",
    path: "/images/d13.qcow2",
    format: "qcow2",
    sizeMiB: 64,
  } as const;
  await agent.put("web-1", { generation: 3, spec: aSpec({ disks: [{ name: "root", origin, readonly: false }] }) });
  expect(await readdir(disks)).toEqual(["root.qcow2.placeholder", "root.qcow2.placeholder.kept-1"]);
  expect(await readFile(join(disks, "root.qcow2.placeholder.kept-1"), "utf8")).toContain("precious");
});

test("a disk neither shrinks nor becomes another one under its VM", async () => {
  await using agent = await anAgent();
  const disk = (sizeMiB: number) =>
    aSpec({ disks: [{ name: "data", origin: { kind: "blank", sizeMiB }, readonly: false }] });
  await agent.put("web-1", { spec: disk(64) });
  await expect(agent.put("web-1", { generation: 2, spec: disk(32) })).rejects.toEqual(gives("UNSUPPORTED"));
  expect((await agent.put("web-1", { generation: 2, spec: disk(128) })).outcome).toBe("done");
});

test("a tombstone goes when its retention ends", async () => {
  await using agent = await anAgent({ sweepEveryMs: 10 });
  await agent.put("web-1", { spec: aSpec({ retainDisksSeconds: 3600 }) });
  await agent.put("web-2", { spec: aSpec({ retainDisksSeconds: 0 }) });
  await agent.operate("web-1", { kind: "delete", graceSeconds: null });
  await agent.operate("web-2", { kind: "delete", graceSeconds: null });
  const tombstones = async () => (await agent.lifecycle.report(NEVER)).tombstones.map((each) => each.name);
  await until("the one without retention is gone", async () => (await tombstones()).length === 1);
  expect(await tombstones()).toEqual(["web-1"]);
  agent.clock.advance(3_600_000);
  await until("the other one too", async () => (await tombstones()).length === 0);
  await until("its folder too", async () => (await readdir(join(agent.dataFolder, "vms"))).length === 0);
});

test.each(["by a purge", "by the end of the retention"])(
  "a VM that is gone %s can be made anew by steps of the same ids, and each is done again",
  async (way) => {
    await using agent = await anAgent({ sweepEveryMs: 10 });
    const spec = aSpec({ retainDisksSeconds: 3600 });
    const remove = { id: "delete-web-1-1", kind: "delete", graceSeconds: null } as const;
    for (const life of ["first", "second"]) {
      const created = await agent.put("web-1", { id: "create-web-1-0", spec });
      expect(created, life).toMatchObject({ outcome: "done", noop: false, after: { generation: 1, phase: "stopped" } });
      expect((await agent.operate("web-1", { id: "boot-web-1-1", kind: "boot" })).after?.phase, life).toBe("running");
      expect(await agent.operate("web-1", remove), life).toMatchObject({ outcome: "done", after: null });
      const kept = await agent.lifecycle.report(NEVER);
      expect([kept.vms, kept.tombstones.length], life).toEqual([[], 1]);
      if (way === "by a purge") await agent.operate("web-1", { kind: "purge" });
      else agent.clock.advance(3_600_000);
      await until("nothing is left", async () => (await agent.lifecycle.report(NEVER)).tombstones.length === 0);
      // Who did not hear the answer asks again, and still gets it.
      expect(await agent.operate("web-1", remove), life).toMatchObject({ outcome: "done", after: null });
    }
  },
);

test("a guest that does not answer keeps its phase, and the reason says so", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  const { after } = await agent.boot("web-1");
  await writeFile(join(agent.runFolder, "vms/web-1/guest.json"), "{ broken");
  const silent = await agent.vm("web-1");
  expect(silent).toMatchObject({ phase: "running", live: null, serial: after?.serial });
  expect(silent.reason).toContain("cannot be understood");
  expect((await agent.shutdown("web-1")).after).toMatchObject({ phase: "stopped" });
});

test("when the agent stops, what is under way stays in its journal and is resolved by the next", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/boot-delay": "1h" } }) });
  const booting = agent.operate("web-1", { kind: "boot", id: "b1" });
  booting.catch(() => {});
  await until("it starts", async () => (await agent.vm("web-1")).phase === "starting");
  await agent.restart();
  await expect(booting).rejects.toEqual(gives("AGENT_STOPPING"));
  expect(await agent.vm("web-1")).toMatchObject({ phase: "stopped", endedBy: "failure" });
  expect(agent.lifecycle.operation("b1")).toMatchObject({
    outcome: "failed",
    error: { code: "OPERATION_INTERRUPTED" },
  });
});

test("nothing of VMs is in the folder of another program's making", async () => {
  await using agent = await anAgent();
  await mkdir(join(agent.dataFolder, "vms/lost+found"));
  await mkdir(join(agent.dataFolder, "vms/empty"));
  await agent.restart();
  expect(await agent.lifecycle.report(NEVER)).toMatchObject({ vms: [], tombstones: [] });
});
