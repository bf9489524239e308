/** A VM of Cloud Hypervisor (the double) that is off moves with the disk that its agent keeps, which no running guest of it may, and boots there. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createCloudHypervisor } from "../../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import type { TestAgent } from "../../support/an-agent.ts";
import { cloudHypervisorForTests } from "../../support/cloud-hypervisor.ts";
import { aCloudHypervisorSpec } from "../../support/cloud-hypervisor-world.ts";
import { TINY_GUEST } from "../../support/qemu-world.ts";
import { twoAgents } from "../../support/two-agents.ts";

const DISK = { name: "data", origin: { kind: "blank", sizeMiB: 32 }, readonly: false } as const;
const SPEC = aCloudHypervisorSpec({ runStrategy: "Manual", disks: [DISK] });
const sum = async ({ dataFolder }: TestAgent) =>
  createHash("sha256")
    .update(await readFile(join(dataFolder, "vms/web-1/disks/data.raw")))
    .digest("hex");

test("off, with its disk, and booted where it is then", async () => {
  await using opened = new AsyncDisposableStack();
  const aNode = async () => {
    const binary = opened.use(await cloudHypervisorForTests({ double: true, version: "53.0", knobs: {} }));
    const { executable } = binary;
    const own = { seccomp: "true", landlock: false, tinyGuest: TINY_GUEST, clock: systemClock } as const;
    return { hypervisors: [createCloudHypervisor({ executable, ...own })], supervisor: createSpawnSupervisor() };
  };
  const world = opened.use(await twoAgents({ clock: systemClock }, { n1: await aNode(), n2: await aNode() }));
  const { n1, n2 } = world;
  opened.defer(async () => void (await n2.shutdown("web-1", 0).catch(() => {})));
  await n1.put("web-1", { spec: SPEC });
  expect(await n1.boot("web-1")).toMatchObject({ error: null });
  expect(await n1.shutdown("web-1", 0)).toMatchObject({ error: null });
  await writeFile(join(n1.dataFolder, "vms/web-1/disks/data.raw"), Buffer.alloc(50_000, "written"), { flag: "r+" });
  expect(await world.move({ mode: "cold" })).toMatchObject({ outcome: "done", error: null });
  expect(await sum(n2)).toBe(await sum(n1));
  expect(await n2.boot("web-1")).toMatchObject({ error: null, after: { phase: "running", drift: [] } });
  await expect(n1.boot("web-1")).rejects.toMatchObject({ code: "WRONG_PHASE" });
});
