/** Two agents move real QEMU guests between them: what a guest counts aloud goes on, no number lost and none said twice. */
import { randomBytes } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createQemuHypervisor } from "../../../src/agent/hypervisor/qemu/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { Disk, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { aSpec, type TestAgent } from "../../support/an-agent.ts";
import { TINY_GUEST } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";
import { twoAgents } from "../../support/two-agents.ts";
import { until } from "../../support/until.ts";

const PATIENCE_MS = 60_000;
const MIB = 1024 * 1024;

const tiny = (over: Partial<VmSpec> = {}): VmSpec =>
  aSpec({
    hypervisor: "qemu",
    cpus: { count: 1, max: 2 },
    memory: { sizeMiB: 32, maxMiB: 32 },
    boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
    disks: [],
    ...over,
  });

const qemu = () =>
  createQemuHypervisor({
    executable: "qemu-system-x86_64",
    accelerator: "tcg",
    tinyGuest: TINY_GUEST,
    cacheFile: null,
    clock: systemClock,
  });

async function twoNodes() {
  const each = () => ({
    hypervisors: [qemu()],
    supervisor: createSpawnSupervisor(),
    sourceAwayMs: 5_000,
    settleMs: 20_000,
  });
  const world = await twoAgents({ clock: systemClock }, { n1: each(), n2: each() });
  return Object.assign(world, {
    async [Symbol.asyncDispose]() {
      for (const agent of [world.n1, world.n2]) {
        await agent.shutdown("web-1", 0).catch(() => {});
        await agent[Symbol.asyncDispose]();
      }
    },
  });
}

const diskFile = (agent: TestAgent, name: string): string => join(agent.dataFolder, "vms/web-1/disks", name);

const log = (agent: TestAgent): Promise<string> =>
  readFile(join(agent.dataFolder, "vms/web-1/logs/console.log"), "latin1").catch(() => "");
const numbers = (text: string): number[] => [...text.matchAll(/COUNTER (\d+)\s/g)].map((match) => Number(match[1]));

async function countsTo(agent: TestAgent, least: number): Promise<void> {
  await until(`it counts to ${least}`, async () => (numbers(await log(agent)).at(-1) ?? -1) >= least, PATIENCE_MS);
}

/** Nothing lost, nothing twice, and never from the start again. */
async function expectOneCount(...agents: readonly TestAgent[]): Promise<number[]> {
  const said = numbers((await Promise.all(agents.map(log))).join(""));
  expect(said).toEqual(said.map((_, index) => index));
  return said;
}

describe.runIf(requires("QEMU guests that move", "qemu-system-x86_64"))("QEMU", { timeout: PATIENCE_MS }, () => {
  test("a guest goes to another node and counts on", async () => {
    await using world = await twoNodes();
    await world.n1.put("web-1", { spec: tiny() });
    await world.n1.boot("web-1");
    await countsTo(world.n1, 2);
    expect(await world.n1.vm("web-1")).toMatchObject({ movable: { live: true } });
    const moved = await world.move();
    expect(moved).toMatchObject({ outcome: "done", error: null, after: { phase: "stopped" } });
    const at = numbers(await log(world.n1)).at(-1) ?? 0;
    await countsTo(world.n2, at + 3);
    await expectOneCount(world.n1, world.n2);
    expect(await world.n2.vm("web-1")).toMatchObject({ phase: "running", drift: [], movable: { live: true } });
  });

  test("with disks of its own, which go along", async () => {
    await using world = await twoNodes();
    const disks: Disk[] = [{ name: "data", origin: { kind: "blank", sizeMiB: 8 }, readonly: false }];
    await world.n1.put("web-1", { spec: tiny({ disks }) });
    await world.n1.boot("web-1");
    await countsTo(world.n1, 1);
    const moved = await world.move();
    expect(moved).toMatchObject({ outcome: "done", error: null });
    await countsTo(world.n2, (numbers(await log(world.n1)).at(-1) ?? 0) + 2);
    await expectOneCount(world.n1, world.n2);
    expect(await world.n2.vm("web-1")).toMatchObject({ phase: "running", drift: [], disks: ["data"] });
  });

  test("a disk's bytes are the same over there, and what both have below it is not sent", async () => {
    await using world = await twoNodes();
    const image = join(world.n1.dataFolder, "base.raw");
    await writeFile(image, randomBytes(2 * MIB));
    const disks: Disk[] = [
      {
        name: "root",
        origin: { kind: "image", image: "base", path: image, format: "raw", sizeMiB: 4 },
        readonly: false,
      },
      { name: "data", origin: { kind: "blank", sizeMiB: 3 }, readonly: false },
    ];
    await world.n1.put("web-1", { spec: tiny({ disks }) });
    const data = randomBytes(MIB);
    await writeFile(diskFile(world.n1, "data.raw"), data, { flag: "r+" });
    await world.n1.boot("web-1");
    await countsTo(world.n1, 1);
    const moved = await world.move();
    expect(moved).toMatchObject({ outcome: "done", error: null });
    await countsTo(world.n2, (numbers(await log(world.n1)).at(-1) ?? 0) + 1);
    expect((await readFile(diskFile(world.n2, "data.raw"))).subarray(0, MIB).equals(data)).toBe(true);
    // Of the overlay only what its guest wrote: nothing.
    expect((await stat(diskFile(world.n2, "root.qcow2"))).size).toBeLessThan(MIB);
    expect(await world.n2.vm("web-1")).toMatchObject({
      disks: ["data", "root"],
      images: [{ disk: "root", file: image }],
    });
  });

  test("what was plugged in and out since its boot goes along, at its own place", async () => {
    await using world = await twoNodes();
    const disk = (name: string): Disk => ({ name, origin: { kind: "blank", sizeMiB: 1 }, readonly: false });
    const nic = (name: string, last: string): Nic => ({
      ...{ name, network: "lab", attachment: { kind: "none" }, mac: `52:54:00:00:00:0${last}`, address: null },
    });
    await world.n1.put("web-1", { spec: tiny({ disks: [disk("a")], nics: [nic("eth0", "1")] }) });
    await world.n1.boot("web-1");
    await countsTo(world.n1, 1);
    const more = tiny({
      cpus: { count: 2, max: 2 },
      disks: [disk("b"), disk("a"), disk("c")],
      nics: [nic("eth1", "2"), nic("eth0", "1")],
    });
    expect(await world.n1.put("web-1", { spec: more, generation: 2 })).toMatchObject({ outcome: "done", error: null });
    const moved = await world.move();
    expect(moved).toMatchObject({ outcome: "done", error: null });
    await countsTo(world.n2, (numbers(await log(world.n1)).at(-1) ?? 0) + 1);
    const there = await world.n2.vm("web-1");
    expect(there).toMatchObject({ phase: "running", drift: [], live: { cpus: { count: 2 } } });
    expect(there.live?.disks.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
    await expectOneCount(world.n1, world.n2);
  });

  test("one that takes too long is called off, with why, and runs on", async () => {
    await using world = await twoNodes();
    await world.n1.put("web-1", {
      spec: tiny({ migration: { mode: "live", downtimeMs: 300, timeoutSeconds: 1 } }),
    });
    await world.n1.boot("web-1");
    await countsTo(world.n1, 1);
    const failed = await world.move({ bandwidthMiBps: 0.05 });
    expect(failed).toMatchObject({
      outcome: "failed",
      error: { code: "MIGRATION_FAILED" },
      after: { phase: "running" },
    });
    expect(failed.error?.message).toContain("was not sent within 1 s");
    await countsTo(world.n1, (numbers(await log(world.n1)).at(-1) ?? 0) + 2);
    await expectOneCount(world.n1, world.n2);
    expect(await world.move({ ticket: "u".repeat(43) })).toMatchObject({ outcome: "done" });
  });
});
