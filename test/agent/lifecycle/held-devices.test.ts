/** A guest that does not let go of a device: what stands in its report, what its process keeps, and how the debt is paid. */
import { expect, test } from "vitest";
import type { HeldDevice, Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { instant, vmName } from "../../../src/model/names.ts";
import type { LiveConfig } from "../../../src/model/observed-state.ts";
import type { Disk, Nic } from "../../../src/model/vm-spec.ts";
import { findRequestError } from "../../../src/wire/check-shape.ts";
import { aClock } from "../../support/a-clock.ts";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";

const blank = (name: string): Disk => ({ name, origin: { kind: "blank", sizeMiB: 1 }, readonly: false });
const bridged = (name: string): Nic => ({
  name,
  network: "front",
  attachment: { kind: "bridge", bridge: "br0" },
  mac: "52:54:00:00:00:07",
  address: null,
});

const BOTH = aSpec({ disks: [blank("root"), blank("data")], nics: [bridged("eth0"), bridged("eth1")] });
const LESS = { ...BOTH, disks: [blank("root")], nics: [bridged("eth0")] };
const SINCE = instant("2026-01-01T00:00:00.000Z");

/** Noop, whose guests keep every disk and NIC that they had at their boot until `letGo` says otherwise. */
function aStubbornHypervisor(): { readonly hypervisor: Hypervisor; letGo: boolean } {
  const noop = createNoopHypervisor({ clock: aClock() });
  const world = {
    letGo: false,
    hypervisor: {
      ...noop,
      disks: "real" as const,
      async connect(...[vm, options]: Parameters<Hypervisor["connect"]>) {
        const running = await noop.connect(vm, options);
        const look = running.liveConfig.bind(running);
        const kept = <Item extends Disk | Nic>(booted: readonly Item[], has: readonly Item[]): readonly Item[] =>
          world.letGo ? [] : booted.filter(({ name }) => !has.some((each) => each.name === name));
        const heldIn = (live: LiveConfig) => ({
          disks: kept(vm.spec.disks, live.disks),
          nics: kept(vm.spec.nics, live.nics),
        });
        return Object.assign(running, {
          async liveConfig(signal: AbortSignal): Promise<LiveConfig> {
            const live = await look(signal);
            const held = heldIn(live);
            return { ...live, disks: [...live.disks, ...held.disks], nics: [...live.nics, ...held.nics] };
          },
          async heldDevices(signal: AbortSignal): Promise<readonly HeldDevice[]> {
            const held = heldIn(await look(signal));
            return [
              ...held.disks.map(({ name }) => ({ path: `disks.${name}`, since: SINCE })),
              ...held.nics.map(({ name }) => ({ path: `nics.${name}`, since: SINCE })),
            ];
          },
        });
      },
    },
  };
  return world;
}

/** The taps that the node has, by NIC. */
async function anAgentWithTaps() {
  const stubborn = aStubbornHypervisor();
  const taps = new Set<string>();
  const agent = await anAgent({
    hypervisors: [stubborn.hypervisor],
    network: {
      prepareTaps: async (_vm, nics) => {
        for (const { name } of nics) taps.add(name);
      },
      removeTaps: async (_vm, nics) => {
        for (const { name } of nics) taps.delete(name);
      },
      replugTaps: async () => {},
      bridgeOf: async (_vm, { attachment }) => (attachment.kind === "bridge" ? attachment.bridge : null),
    },
  });
  return { agent, taps, stubborn, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}

const vmOf = (agent: TestAgent) => agent.vm("web-1");

test("it is in the report with its date, its tap stays, and the next boot pays the debt", async () => {
  await using world = await anAgentWithTaps();
  const { agent, taps } = world;
  await agent.put("web-1", { spec: BOTH });
  await agent.boot("web-1");
  expect([...taps]).toEqual(["eth0", "eth1"]);
  const done = await agent.put("web-1", { generation: 2, spec: LESS });
  expect(done).toMatchObject({ outcome: "done", error: null });
  expect(done.detail?.warnings).toEqual([
    "the guest of web-1 has not let go of disks.data: owed until it does, or until its next boot",
    "the guest of web-1 has not let go of nics.eth1: owed until it does, or until its next boot",
  ]);
  const owed = [
    { path: "disks.data", since: SINCE, held: true },
    { path: "nics.eth1", since: SINCE, held: true },
  ];
  expect(await vmOf(agent)).toMatchObject({ owed, live: { disks: BOTH.disks, nics: BOTH.nics } });
  expect(findRequestError("node-report", await agent.lifecycle.report(NEVER))).toBeNull();
  expect([...taps]).toEqual(["eth0", "eth1"]);
  await agent.restart();
  expect((await vmOf(agent)).owed).toEqual(owed);
  await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 });
  expect(await vmOf(agent)).toMatchObject({ drift: [], live: { disks: LESS.disks } });
  expect((await vmOf(agent)).owed).toBeUndefined();
  expect([...taps]).toEqual(["eth0"]);
});

test("let go of at last, it is gone from the report, and so is its tap", async () => {
  await using world = await anAgentWithTaps();
  const { agent, taps, stubborn } = world;
  await agent.put("web-1", { spec: BOTH });
  await agent.boot("web-1");
  await agent.put("web-1", { generation: 2, spec: LESS });
  stubborn.letGo = true;
  const vm = await vmOf(agent);
  expect(vm).toMatchObject({ drift: [], live: { disks: LESS.disks } });
  expect(vm.owed).toBeUndefined();
  expect([...taps]).toEqual(["eth0"]);
});

test("asked for by hand it is refused, told with its date, and not attached a second time", async () => {
  await using world = await anAgentWithTaps();
  const { agent } = world;
  await agent.put("web-1", { spec: BOTH });
  await agent.boot("web-1");
  const detach = { kind: "detach", device: { list: "disks", name: "data" } } as const;
  const refused = await agent.operate("web-1", detach);
  expect(refused).toMatchObject({ outcome: "failed", error: { code: "UNSUPPORTED" } });
  expect(refused.error?.message).toContain(`was asked to let go of it at ${SINCE} and did not`);
  expect((await vmOf(agent)).owed).toMatchObject([{ path: "disks.data", held: true }]);
  const attach = { kind: "attach", device: { list: "disks", disk: blank("data") } } as const;
  await expect(agent.operate("web-1", attach)).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("a spec whose reboot is next touches nothing of the guest, and is owed until then", async () => {
  await using world = await anAgentWithTaps();
  const { agent, taps } = world;
  await agent.put("web-1", { spec: BOTH });
  await agent.boot("web-1");
  const spec = { ...LESS, nics: [{ ...bridged("eth0"), attachment: { kind: "bridge", bridge: "br1" } as const }] };
  const done = await agent.lifecycle.putVm(
    vmName("web-1"),
    { id: "later", fleet: null, commit: null, generation: 2, spec, files: {}, expect: null, defer: true },
    NEVER,
  );
  expect(done).toMatchObject({ outcome: "done", after: { live: { disks: BOTH.disks, nics: BOTH.nics } } });
  expect(done.after?.owed?.map(({ path, held }) => [path, held])).toEqual([
    ["disks.data", false],
    ["nics.eth0", false],
    ["nics.eth1", false],
  ]);
  expect([...taps]).toEqual(["eth0", "eth1"]);
  await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 });
  expect((await vmOf(agent)).owed).toBeUndefined();
  expect(await vmOf(agent)).toMatchObject({ drift: [] });
});

test("what somebody changes later is not owed", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec() });
  await agent.boot("web-1");
  await agent.operate("web-1", { kind: "resize", cpus: 2, memoryMiB: null, balloonMiB: null, disk: null });
  const vm = await vmOf(agent);
  expect(vm.drift).toMatchObject([{ path: "cpus.count" }]);
  expect(vm.owed).toBeUndefined();
});
