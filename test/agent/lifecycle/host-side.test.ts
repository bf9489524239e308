/** What a guest on a real hypervisor needs of its host: told to a hypervisor that is real in all but its guest. */
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import type { HostNetwork } from "../../../src/agent/network/tap.ts";
import { digestOfText } from "../../../src/model/digest.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import type { Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aClock } from "../../support/a-clock.ts";
import { anAgent, aSpec, type TestAgentOptions, withProcess } from "../../support/an-agent.ts";
import { until } from "../../support/until.ts";

const aNic = (name: string, over: Partial<Nic> = {}): Nic => ({
  name,
  network: "front",
  attachment: { kind: "bridge", bridge: "br0" },
  mac: "52:54:00:00:00:01",
  address: null,
  ...over,
});
const bare = (over: Partial<VmSpec> = {}): VmSpec =>
  aSpec({ disks: [], boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" }, ...over });

/** Taps in a set. */
function aNetwork(): HostNetwork & {
  readonly taps: Set<string>;
  /** Taps that somebody put on another bridge, or (null) on none. */
  readonly moved: Map<string, string | null>;
  bridgeIsMissing: boolean;
} {
  const taps = new Set<string>();
  const moved = new Map<string, string | null>();
  return {
    taps,
    moved,
    bridgeIsMissing: false,
    async prepareTaps(vm, nics) {
      if (this.bridgeIsMissing && nics.length > 0) throw new OdoroboError("UNSUPPORTED", "this node has no bridge br0");
      for (const nic of nics) taps.add(`${vm}.${nic.name}`);
    },
    async removeTaps(vm, nics) {
      for (const nic of nics) taps.delete(`${vm}.${nic.name}`);
    },
    async replugTaps(vm, nics) {
      for (const nic of nics) if (taps.has(`${vm}.${nic.name}`)) moved.delete(`${vm}.${nic.name}`);
    },
    async bridgeOf(vm, { name, attachment }) {
      const tap = `${vm}.${name}`;
      if (!taps.has(tap)) return null;
      return moved.has(tap) ? (moved.get(tap) ?? null) : attachment.kind === "bridge" ? attachment.bridge : null;
    },
  };
}

const aRealAgent = (options: TestAgentOptions = {}) => {
  const real: Hypervisor = { ...withProcess(createNoopHypervisor({ clock: aClock() })), disks: "real" };
  return anAgent({ processes: true, hypervisors: [real], ...options });
};

test("a tap that left its bridge is drift, and the next update puts it back; one that is gone stays drift", async () => {
  const network = aNetwork();
  await using agent = await aRealAgent({ network });
  const spec = bare({ nics: [aNic("eth0"), aNic("eth1")] });
  await agent.put("web-1", { spec });
  await agent.boot("web-1");
  expect((await agent.vm("web-1")).drift).toEqual([]);
  network.moved.set("web-1.eth0", "br9");
  network.taps.delete("web-1.eth1");
  await until("it is seen", async () => (await agent.vm("web-1")).drift.length === 2);
  const { drift, live } = await agent.vm("web-1");
  expect(drift.map(({ path }) => path)).toEqual(["nics.eth0", "nics.eth1"]);
  expect(live?.nics.map(({ attachment }) => attachment)).toEqual([{ kind: "bridge", bridge: "br9" }, { kind: "none" }]);
  await agent.put("web-1", { generation: 2, spec });
  expect((await agent.vm("web-1")).drift.map(({ path }) => path)).toEqual(["nics.eth1"]);
});

test("taps are there while the guest is, those of attached and detached NICs included", async () => {
  const network = aNetwork();
  await using agent = await aRealAgent({ network });
  await agent.put("web-1", { spec: bare({ nics: [aNic("eth0")] }) });
  expect([...network.taps]).toEqual([]);
  await agent.boot("web-1");
  expect([...network.taps]).toEqual(["web-1.eth0"]);
  await agent.put("web-1", { generation: 2, spec: bare({ nics: [aNic("eth0"), aNic("eth1")] }) });
  expect([...network.taps]).toEqual(["web-1.eth0", "web-1.eth1"]);
  await agent.put("web-1", { generation: 3, spec: bare({ nics: [aNic("eth1")] }) });
  expect([...network.taps]).toEqual(["web-1.eth1"]);
  await agent.shutdown("web-1");
  expect([...network.taps]).toEqual([]);
});

test("taps go with a guest that crashes, whether the agent was there or not", async () => {
  const network = aNetwork();
  await using agent = await aRealAgent({ network });
  await agent.put("web-1", { spec: bare({ nics: [aNic("eth0")] }) });
  const first = await agent.boot("web-1");
  agent.processes.end(first.after?.pid as number, { code: 1, signal: null });
  await until("its tap is gone", () => network.taps.size === 0);
  await until("it is known", async () => (await agent.vm("web-1")).phase === "crashed");
  const second = await agent.boot("web-1");
  expect(network.taps.size).toBe(1);
  await agent.lifecycle[Symbol.asyncDispose]();
  agent.processes.end(second.after?.pid as number, { code: 1, signal: null });
  await agent.restart();
  expect(network.taps.size).toBe(0);
});

test("a bridge that is missing fails the boot, and nothing runs", async () => {
  const network = aNetwork();
  network.bridgeIsMissing = true;
  await using agent = await aRealAgent({ network });
  await agent.put("web-1", { spec: bare({ nics: [aNic("eth0")] }) });
  const failed = await agent.boot("web-1");
  expect(failed).toMatchObject({ outcome: "failed", error: { code: "UNSUPPORTED" }, after: { phase: "crashed" } });
  expect(agent.processes.running()).toEqual([]);
});

test("the seed has the texts, for the agent's eyes only, and goes when the spec has none", async () => {
  await using agent = await aRealAgent();
  const text = "#cloud-config\npassword: hunter2\n";
  const digest = digestOfText(text);
  const cloudInit = { userData: digest, networkConfig: null, sshKeys: [] };
  await agent.put("web-1", { spec: bare({ cloudInit }), files: { [digest]: text } });
  await agent.boot("web-1");
  const folder = join(agent.dataFolder, "vms/web-1/disks");
  const [seed] = await readdir(folder);
  expect(await readFile(join(folder, seed as string), "latin1")).toContain("hunter2");
  expect((await stat(join(folder, seed as string))).mode & 0o777).toBe(0o600);
  await agent.put("web-1", { generation: 2, spec: bare() });
  await agent.operate("web-1", { kind: "reboot", graceSeconds: null });
  expect(await readdir(folder)).toEqual([]);
});

test("a kernel, an initramfs or an image that is not on the node is named before anything is begun", async () => {
  await using agent = await aRealAgent();
  const path = "/nowhere/debian-12.qcow2";
  const origin = { kind: "image", image: "debian-12", path, format: "qcow2", sizeMiB: 64 } as const;
  await agent.put("kernel", {
    spec: bare({ boot: { kind: "kernel", kernel: "/nowhere/vmlinuz", initramfs: null, cmdline: "" } }),
  });
  const booted = await agent.boot("kernel");
  expect(booted).toMatchObject({ outcome: "failed", error: { code: "IMAGE_MISSING" } });
  expect(booted.error?.message).toContain("/nowhere/vmlinuz");
  // Who looks later sees it too.
  expect(await agent.vm("kernel")).toMatchObject({ phase: "crashed", reason: booted.error?.message, serial: 2 });
  const created = await agent.put("image", { spec: bare({ disks: [{ name: "root", origin, readonly: false }] }) });
  expect(created).toMatchObject({ outcome: "failed", error: { code: "IMAGE_MISSING" }, after: { phase: "stopped" } });
  expect(created.after?.reason).toContain(path);
});

test("the report says which disks were made, and only those are held to what they were made from", async () => {
  await using agent = await aRealAgent();
  const disk = (name: string, path: string) =>
    ({ name, readonly: false, origin: { kind: "image", image: "i", path, format: "raw", sizeMiB: 64 } }) as const;
  const data = { name: "data", readonly: false, origin: { kind: "blank", sizeMiB: 8 } } as const;
  const first = await agent.put("vm", { spec: bare({ disks: [data, disk("root", "/nowhere/a.raw")] }) });
  expect(first).toMatchObject({ outcome: "failed", error: { code: "IMAGE_MISSING" } });
  expect(first.after?.disks).toEqual(["data"]);
  // Another agent finds the same.
  await agent.restart();
  expect((await agent.vm("vm")).disks).toEqual(["data"]);
  const smaller = { ...data, origin: { kind: "blank", sizeMiB: 4 } } as const;
  await expect(agent.put("vm", { generation: 2, spec: bare({ disks: [smaller] }) })).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
  const second = await agent.put("vm", {
    generation: 3,
    spec: bare({ disks: [data, disk("root", "/nowhere/b.raw")] }),
  });
  expect(second).toMatchObject({ outcome: "failed", error: { code: "IMAGE_MISSING" } });
  const third = await agent.put("vm", { generation: 4, spec: bare({ disks: [data] }) });
  expect(third).toMatchObject({ outcome: "done", after: { disks: ["data"] } });
});

test("a wrong source or a bridge that is gone does not stop a guest that runs", async () => {
  const network = {
    ...aNetwork(),
    bridges: new Set(["br0"]),
    hasBridge: async (name: string) => network.bridges.has(name),
  };
  await using agent = await aRealAgent({ network });
  const source = (path: string) =>
    ({ name: "data", readonly: false, origin: { kind: "external", url: `file://${path}` } }) as const;
  const there = join(agent.dataFolder, "there.raw");
  await writeFile(there, "");
  const nics = [aNic("eth0")];
  await agent.put("vm", { spec: bare({ disks: [source(there)], nics }) });
  const { pid } = (await agent.boot("vm")).after ?? {};
  await agent.put("vm", { generation: 2, spec: bare({ disks: [source("/nowhere/x.raw")], nics }) });
  await expect(agent.operate("vm", { kind: "reboot", graceSeconds: null })).rejects.toMatchObject({
    code: "IMAGE_MISSING",
    message: "vm needs disk data, and /nowhere/x.raw cannot be read on this node",
  });
  expect(await agent.vm("vm")).toMatchObject({ phase: "running", pid });
  await agent.put("vm", { generation: 3, spec: bare({ disks: [source(there)], nics }) });
  network.bridges.clear();
  await expect(agent.operate("vm", { kind: "reboot", graceSeconds: null })).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: "vm needs the bridge of NIC eth0, and there is no bridge br0 on this node",
  });
  expect(await agent.vm("vm")).toMatchObject({ phase: "running", pid });
  network.bridges.add("br0");
  expect(await agent.operate("vm", { kind: "reboot", graceSeconds: null })).toMatchObject({ outcome: "done" });
});

test("a file that the hypervisor's own section names is looked for before a guest is stopped; a socket is not", async () => {
  const noop = withProcess(createNoopHypervisor({ clock: aClock() }));
  const real: Hypervisor = {
    ...noop,
    kind: "cloud-hypervisor",
    disks: "real",
    probe: async (signal) => {
      const report = await noop.probe(signal);
      return report && { ...report, kind: "cloud-hypervisor" };
    },
  };
  await using agent = await anAgent({ processes: true, hypervisors: [real] });
  const passthrough = { fs: [{ tag: "share", socket: "/nowhere/fs.sock" }] };
  await agent.put("vm", { spec: bare({ hypervisor: "cloud-hypervisor", passthrough }) });
  expect(await agent.boot("vm")).toMatchObject({ outcome: "done" });
  const pmem = [{ file: "/nowhere/pmem" }];
  await agent.put("vm", {
    generation: 2,
    spec: bare({ hypervisor: "cloud-hypervisor", passthrough: { ...passthrough, pmem } }),
  });
  await expect(agent.operate("vm", { kind: "reboot", graceSeconds: null })).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining("/nowhere/pmem is not there"),
  });
  expect((await agent.vm("vm")).phase).toBe("running");
});

test("what is asked for is answered as a boot would find it; what a hook may yet bring is not said to be missing", async () => {
  const hooks = { run: async () => {}, has: async () => true };
  await using agent = await aRealAgent();
  await using hooked = await aRealAgent({ hooks });
  const { signal } = new AbortController();
  const here = join(agent.dataFolder, "node-id.raw");
  await writeFile(here, "raw");
  const questions = [
    { kind: "file", path: here },
    { kind: "file", path: agent.dataFolder },
    { kind: "file", path: "/nowhere/vmlinuz" },
    { kind: "image", image: "deb", path: here, format: "raw" },
    { kind: "image", image: "deb", path: here, format: "qcow2" },
    { kind: "node", path: agent.dataFolder, socket: false },
    { kind: "node", path: here, socket: true },
    { kind: "node", path: "/nowhere/fs.sock", socket: true },
    { kind: "disk", path: "/nowhere/x", readonly: false },
    null,
  ] as const;
  expect(await agent.lifecycle.lookFor(questions, signal)).toEqual([
    { found: true },
    { found: false, problem: `${agent.dataFolder} is a folder` },
    { found: false, problem: "/nowhere/vmlinuz is not there" },
    { found: true, sizeMiB: 1 },
    { found: false, problem: expect.stringContaining("it is raw") },
    { found: true },
    { found: false, problem: `${here} is no socket` },
    { found: false, problem: "/nowhere/fs.sock is not there" },
    { found: false, problem: "/nowhere/x is not there" },
    null,
  ]);
  expect((await hooked.lifecycle.lookFor(questions, signal)).slice(4)).toEqual([
    { found: false, problem: expect.stringContaining("it is raw") },
    { found: true },
    { found: false, problem: `${here} is no socket` },
    null,
    null,
    null,
  ]);
});

test("a port to wait for needs an address that can be reached", async () => {
  await using agent = await aRealAgent();
  const ready = { kind: "tcp", port: 22, timeoutSeconds: 1 } as const;
  const nic = aNic("eth0", { attachment: { kind: "user" }, address: "10.0.0.2/24" });
  await expect(agent.put("web-1", { spec: bare({ ready, nics: [nic] }) })).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
});

test("a port that takes connections makes a guest ready", async () => {
  const { createServer } = await import("node:net");
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await using agent = await aRealAgent({ network: aNetwork() });
  const ready = { kind: "tcp", port, timeoutSeconds: 5 } as const;
  await agent.put("web-1", { spec: bare({ ready, nics: [aNic("eth0", { address: "127.0.0.1/8" })] }) });
  expect((await agent.boot("web-1")).after).toMatchObject({ phase: "running", ready: true });
  await new Promise((resolve) => server.close(resolve));
});
