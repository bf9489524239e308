/** A node whose disk is really full: an apply that makes room makes it, and is told what else could not be done. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { aSmallDisk } from "../support/a-small-disk.ts";
import { linuxBoot } from "../support/linux-guest.ts";
import { requires } from "../support/requirements.ts";
import { expectCode, expectNothingToDo } from "../support/system-scenario.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";
import { until } from "../support/until.ts";

/** Linux boots in seconds under TCG on an idle machine. */
const LINUX_MS = 180_000;

describe.runIf(requires("agents whose disk is full", "mounts")).concurrent("a full disk", PATIENT, () => {
  systemTest("holds up neither shutdown, destroy nor purge, and the agent answers all the while", async ({ world }) => {
    await using disk = await aSmallDisk(world.scratch);
    const n1 = await world.agent("n1", { dataFolder: join(disk.path, "d") });
    const others = ["a", "b", "c", "d", "e", "f"].map((letter) => `more-${letter}`);
    for (const name of ["off", "gone", ...others]) await world.vm(name);
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);

    // Others take every byte that gets free.
    await disk.fill();
    await world.vm("off", ["runStrategy: Stopped"]);
    await world.remove("vms/gone.yaml");
    await world.vm("new");
    const applied = await expectCode(world.cli("apply", world.fleet, "--yes"), 1);
    expect(applied.stdout).toContain("failed  create new on n1: could not ");
    expect(applied.stdout).toContain("(INSUFFICIENT_STORAGE)");
    expect(applied.stdout + applied.stderr).not.toContain("AGENT_UNREACHABLE");
    expect(await n1.vm("off")).toMatchObject({ phase: "stopped", endedBy: "operator" });
    expect((await n1.report()).tombstones).toMatchObject([{ name: "gone" }]);

    // What was written is there, also for the next agent.
    await disk.fill();
    await n1.kill();
    await n1.start();
    expect(await n1.vm("off")).toMatchObject({ phase: "stopped", endedBy: "operator" });
    expect((await n1.report()).unreadable ?? []).toEqual([]);
    await disk.fill();
    await expectCode(world.cli("destroy", world.fleet, "--yes", "--allow-destroy=10"), 0);
    for (const name of ["gone", "off", ...others]) {
      await disk.fill();
      await expectCode(world.cli("vm", "purge", name, "--fleet", world.fleet, "--yes"), 0);
    }
    expect(await n1.report()).toMatchObject({ vms: [], tombstones: [] });

    await disk.empty();
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    await expectNothingToDo(world);
    await n1.stop();
  });
});

describe.runIf(
  requires("a guest whose disk has no room", "mounts", "qemu-system-x86_64", "qemu-img", "linux-kernel", "busybox"),
)("a guest that writes to a full disk", PATIENT, () => {
  systemTest("stands still, is told as that and left alone, and goes on by itself", async ({ world }) => {
    await using disk = await aSmallDisk(world.scratch, 16);
    const n1 = await world.agent("n1", { hypervisors: ["qemu"], dataFolder: join(disk.path, "d") });
    const linux = join(world.scratch, "linux");
    await mkdir(linux);
    const { kernel, initramfs, cmdline } = (await linuxBoot(linux, { writes: true })) as Extract<
      Awaited<ReturnType<typeof linuxBoot>>,
      { kind: "kernel" }
    >;
    await world.defaults({ hypervisor: "qemu" });
    await world.vm("web-1", [
      `boot: { kernel: ${kernel}, initramfs: ${initramfs}, cmdline: ${JSON.stringify(cmdline)} }`,
      "memory: 256MiB",
      "disks: [ { name: data, size: 32MiB } ]",
      "shutdownGrace: 0s",
    ]);
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    await until("it stands still", async () => (await n1.vm("web-1")).phase === "paused", LINUX_MS);
    const stands = await n1.vm("web-1");
    expect(stands).toMatchObject({ stalled: { disks: ["data"], noRoom: true } });
    expect(stands.reason).toMatch(/^stands still \(io-error\): no room for what it writes to disk data/);

    const plan = await expectCode(world.cli("plan", world.fleet, "--json"), 3);
    expect(JSON.parse(plan.stdout) as Plan).toMatchObject({
      steps: [],
      complete: false,
      blocked: [{ name: "web-1", code: "STALLED" }],
    });
    await n1.kill();
    await n1.start();
    expect(await n1.vm("web-1")).toMatchObject({ pid: stands.pid, phase: "paused", stalled: { disks: ["data"] } });

    await disk.grow(64);
    await until("it has written all", async () => (await n1.serial("web-1")).includes("FILLED"), LINUX_MS);
    expect(await n1.vm("web-1")).toMatchObject({ pid: stands.pid, phase: "running", reason: null });
    await expectNothingToDo(world);
    // Its records are on a disk that goes before its world does.
    await expectCode(world.cli("destroy", world.fleet, "--yes"), 0);
    await n1.stop();
  });
});
