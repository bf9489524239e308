/** Two agents move real QEMU guests between them: what a guest counts aloud goes on, no number lost and none said twice. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createQemuHypervisor } from "../../../src/agent/hypervisor/qemu/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { Disk, VmSpec } from "../../../src/model/vm-spec.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { aSpec, type TestAgent } from "../../support/an-agent.ts";
import { TINY_GUEST } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";
import { twoAgents } from "../../support/two-agents.ts";
import { until } from "../../support/until.ts";

const PATIENCE_MS = 60_000;

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
});
