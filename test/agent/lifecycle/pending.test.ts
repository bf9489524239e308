/** What was applied and waits for the next boot is pending, whatever runs the guest: in the report, in status, in plans; nobody else's drift. */
import { describe, expect, test } from "vitest";
import { createCloudHypervisor } from "../../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import { createQemuHypervisor } from "../../../src/agent/hypervisor/qemu/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { HypervisorKind } from "../../../src/model/vm-spec.ts";
import { makePlan } from "../../../src/plan/make-plan.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { toStatusDocument } from "../../../src/report/status-document.ts";
import { renderStatus } from "../../../src/report/status-text.ts";
import { renderVm } from "../../../src/report/vm-text.ts";
import { aFleet } from "../../support/a-fleet.ts";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { cloudHypervisorForTests } from "../../support/cloud-hypervisor.ts";
import { TINY_GUEST } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";

async function anAgentWith(kind: HypervisorKind): Promise<{ readonly agent: TestAgent } & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const double = kind === "cloud-hypervisor" ? opened.use(await cloudHypervisorForTests({ double: true })) : null;
  const supervisor = createSpawnSupervisor();
  const agent =
    kind === "noop"
      ? await anAgent()
      : await anAgent({
          supervisor,
          restartEveryMs: 60_000,
          hypervisors: [
            double === null
              ? createQemuHypervisor({
                  executable: "qemu-system-x86_64",
                  accelerator: "tcg",
                  cacheFile: null,
                  tinyGuest: TINY_GUEST,
                  clock: systemClock,
                })
              : createCloudHypervisor({
                  executable: double.executable,
                  ...{ seccomp: "true", landlock: false, tinyGuest: TINY_GUEST, clock: systemClock },
                }),
          ],
        });
  opened.use(agent);
  opened.defer(async () => void (await agent.shutdown("web-1", 0).catch(() => {})));
  const life = opened.move();
  return { agent, [Symbol.asyncDispose]: () => life.disposeAsync() };
}

const specOf = (hypervisor: HypervisorKind, maxMiB: number) =>
  aSpec({
    ...{ hypervisor, runStrategy: "Manual", disks: [], cpus: { count: 1, max: 1 } },
    memory: { sizeMiB: 128, maxMiB },
    boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
  });

describe.each([["noop"], ["cloud-hypervisor"], ["qemu"]] as const)("%s", (kind) => {
  const isHere = kind !== "qemu" || requires("pending changes on a real QEMU", "qemu-system-x86_64");
  test.runIf(isHere)("a change that only a boot brings", { timeout: 120_000 }, async () => {
    await using world = await anAgentWith(kind);
    const { agent } = world;
    await agent.put("web-1", { fleet: "test", spec: specOf(kind, 256) });
    expect(await agent.boot("web-1")).toMatchObject({ error: null });
    const spec = specOf(kind, 512);
    await agent.put("web-1", { fleet: "test", generation: 2, spec, defer: true });
    const report = await agent.lifecycle.report(NEVER);
    const [vm] = report.vms;
    expect(vm?.owed).toEqual([{ path: "memory.max", since: expect.any(String), held: false }]);
    const name = report.node.name;
    const fleet = aFleet()
      .node(name)
      .vm("web-1", { ...spec, on: name });
    const at = { desired: fleet.desired(), source: "test", commit: null };
    const observed = { at: report.at, nodes: [{ name, reach: "answered", report }] } as const;
    const status = toStatusDocument({ ...at, observed });
    expect(status.summary).toMatchObject({ drifted: 0, pending: 1 });
    const text = renderStatus(status, { colour: false });
    expect(text).toContain("pending: memory.max");
    expect(text).not.toMatch(/drift/i);
    expect(renderVm(vm!, name, { colour: false, changes: false })).not.toMatch(/^drift/m);
    const plan = makePlan({ ...at, observed, selection: null, allowances: { maxClass: null, allowDestroy: null } });
    expect(plan.changes).toMatchObject([
      { action: "reboot", reasons: [{ because: "pending", field: "memory.max", class: "reboot" }] },
    ]);
    expect(plan.changes[0]?.reasons[0]?.text).not.toContain("someone else");

    await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 });
    expect(await agent.vm("web-1")).toMatchObject({ drift: [] });
    expect((await agent.vm("web-1")).owed).toBeUndefined();
  });
});
