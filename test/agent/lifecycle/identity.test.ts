/** By what a guest knows itself: made once, and kept with its disks. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Hypervisor, LaunchInput } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { deriveUuid } from "../../../src/agent/lifecycle/acts/identity.ts";
import { vmName } from "../../../src/model/names.ts";
import type { CloudInit, Nic } from "../../../src/model/vm-spec.ts";
import { aClock } from "../../support/a-clock.ts";
import { anAgent, aSpec, type TestAgent } from "../../support/an-agent.ts";

const nic = (name: string, address: string | null): Nic => ({
  name,
  network: "front",
  attachment: { kind: "user" },
  mac: "52:54:00:00:00:07",
  address,
});

const KEYS: CloudInit = { userData: null, networkConfig: null, sshKeys: ["ssh-ed25519 AAAA me"] };
const aGuest = (cloudInit: CloudInit | null, address: string | null = null) =>
  aSpec({ cloudInit, disks: [], nics: [nic("eth0", address)] });

/** Noop that makes what a real guest needs, and knows what each was started with. */
async function anAgentThatTells() {
  const noop = createNoopHypervisor({ clock: aClock() });
  const started: LaunchInput[] = [];
  const hypervisor: Hypervisor = {
    ...noop,
    disks: "real",
    async connect(vm, options) {
      if (options.fresh) started.push(vm);
      return noop.connect(vm, options);
    },
  };
  const agent = await anAgent({ hypervisors: [hypervisor] });
  const seed = join(agent.dataFolder, "vms", "web-1", "disks", "cloud-init.iso");
  return {
    agent,
    seed,
    started,
    async id(): Promise<string | undefined> {
      return /"instance-id":"([^"]*)"/.exec(await readFile(seed, "latin1"))?.[1];
    },
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}

let generation = 1;
async function becomes(agent: TestAgent, cloudInit: CloudInit | null, address: string | null = null): Promise<void> {
  await agent.put("web-1", { generation: ++generation, spec: aGuest(cloudInit, address) });
  const rebooted = await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 });
  expect(rebooted).toMatchObject({ outcome: "done", error: null });
}

test("cloud-init's instance is one through changed keys, addresses and NICs, and a deletion that is taken back", async () => {
  await using world = await anAgentThatTells();
  const { agent, id } = world;
  await agent.put("web-1", { spec: aGuest(KEYS) });
  await agent.boot("web-1");
  const first = await id();
  expect(first).toMatch(/^web-1-[0-9a-f]{12}$/);
  await becomes(agent, { ...KEYS, sshKeys: ["ssh-ed25519 BBBB other"] });
  expect(await id()).toBe(first);
  await becomes(agent, KEYS, "10.0.0.11/24");
  expect(await id()).toBe(first);
  // Without a seed in between.
  await becomes(agent, null);
  await becomes(agent, KEYS);
  expect(await id()).toBe(first);
  await agent.restart();
  await agent.operate("web-1", { kind: "delete", graceSeconds: 0 });
  await agent.put("web-1", { generation: ++generation, spec: aGuest(KEYS) });
  await agent.boot("web-1");
  expect(await id()).toBe(first);
});

test("it is another one when that is asked for", async () => {
  await using world = await anAgentThatTells();
  const { agent, id } = world;
  await agent.put("web-1", { spec: aGuest(KEYS) });
  await agent.boot("web-1");
  const first = await id();
  await becomes(agent, { ...KEYS, instance: "2" });
  expect(await id()).toBe(`${first}-2`);
  await becomes(agent, { ...KEYS, instance: "2" }, "10.0.0.11/24");
  expect(await id()).toBe(`${first}-2`);
});

test("a guest of an agent that wrote its id nowhere else keeps the one that its seed has", async () => {
  await using world = await anAgentThatTells();
  const { agent, seed, id } = world;
  await agent.put("web-1", { spec: aGuest(KEYS) });
  await agent.boot("web-1");
  await agent.shutdown("web-1", 0);
  const record = join(agent.dataFolder, "vms", "web-1", "record.json");
  const { instanceId, uuid, ...before } = JSON.parse(await readFile(record, "utf8"));
  expect({ instanceId, uuid }).toEqual({
    instanceId: await id(),
    uuid: deriveUuid({ fleet: "shop", name: vmName("web-1") }),
  });
  await writeFile(record, JSON.stringify(before));
  await writeFile(seed, (await readFile(seed, "latin1")).replace(instanceId, "web-1-0123456789ab"), "latin1");
  await agent.restart();
  await agent.boot("web-1");
  await becomes(agent, { ...KEYS, sshKeys: [] }, "10.0.0.11/24");
  expect(await id()).toBe("web-1-0123456789ab");
  await becomes(agent, null);
  await becomes(agent, KEYS);
  expect(await id()).toBe("web-1-0123456789ab");
});

test("a machine has one UUID, the same on every node, through boots and a deletion that is taken back", async () => {
  await using world = await anAgentThatTells();
  const { agent, started } = world;
  await agent.put("web-1", { spec: aGuest(null) });
  await agent.boot("web-1");
  await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 });
  await agent.operate("web-1", { kind: "delete", graceSeconds: 0 });
  await agent.put("web-1", { generation: ++generation, spec: aGuest(null) });
  await agent.boot("web-1");
  const uuid = deriveUuid({ fleet: "shop", name: vmName("web-1") });
  expect(started.map((vm) => vm.uuid)).toEqual([uuid, uuid, uuid]);
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(deriveUuid({ fleet: "test", name: vmName("web-1") })).not.toBe(uuid);
});
