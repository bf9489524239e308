/** Three namespaces as three nodes, with real agents and real guests: a network spans them, and a guest that moves keeps address and connections. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { nodeName, vmName } from "../../../src/model/names.ts";
import type { Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { type AgentClient, connectAgent } from "../../../src/wire/client.ts";
import { makeTicket, moveGuest } from "../../../src/wire/move-guest.ts";
import { endIfThere } from "../../support/a-network-world.ts";
import { aSpec, NEVER } from "../../support/an-agent.ts";
import { linuxBoot } from "../../support/linux-guest.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";
import { aPut } from "../../support/wire-builders.ts";

const CAN = requires(
  "a network that spans nodes",
  ...(["ip", "nft", "dnsmasq", "busybox", "python3", "network-admin", "qemu-system-x86_64", "linux-kernel"] as const),
);
const run = promisify(execFile);
const AGENT = fileURLToPath(new URL("../../support/networked-agent-script.ts", import.meta.url));
const FRAMES = fileURLToPath(new URL("../../support/frames.py", import.meta.url));
const NODES = ["n1", "n2", "n3"] as const;
const BRIDGE = "odbabcdef012345";
const PATIENCE_MS = 240_000;

const nicOf = (number: number): Nic => ({
  ...{ name: "eth0", network: "span", attachment: { kind: "bridge", bridge: BRIDGE } },
  ...{ mac: `52:54:00:00:01:0${number}`, address: `10.30.0.5${number}/24` },
  config: { gateway: "10.30.0.1", dns: ["10.30.0.1"], domain: "span.internal" },
  made: {
    ...{ type: "vxlan", id: 4242, port: 4789, peers: { n1: "10.9.0.1", n2: "10.9.0.2", n3: "10.9.0.3" } },
    ...{ subnet: "10.30.0.0/24", gateway: "10.30.0.1", dhcp: true, domain: "span.internal" },
  },
  rules: { antiSpoofing: true, allow: [{ protocol: "tcp", ports: [[7, 7]], from: ["10.30.0.0/24"] }] },
});

const specOf = (number: number, over: Partial<VmSpec>): VmSpec =>
  aSpec({
    ...{ hypervisor: "qemu", runStrategy: "Manual", cpus: { count: 1, max: 1 }, disks: [], nics: [nicOf(number)] },
    ...{ memory: { sizeMiB: 32, maxMiB: 32 } },
    boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
    ...over,
  });

/** What was opened last is closed first. */
async function aSpanningWorld() {
  await using opened = new AsyncDisposableStack();
  const { path: folder } = opened.use(await aTempFolder());
  const name = (which: string) => `ods${process.pid}-${which}`;
  const ip = (...args: string[]) => run("ip", args);
  const add = async (which: string) => {
    await ip("netns", "add", name(which));
    opened.defer(async () => {
      const { stdout } = await ip("netns", "pids", name(which));
      for (const pid of stdout.split("\n").filter(Boolean)) endIfThere(Number(pid));
      await ip("netns", "del", name(which));
    });
    await ip("-n", name(which), "link", "set", "lo", "up");
  };
  await add("switch");
  await ip("-n", name("switch"), "link", "add", "sw0", "type", "bridge");
  await ip("-n", name("switch"), "link", "set", "sw0", "up");
  // Somebody who is no VM.
  await add("peer");
  const agents = {} as Record<(typeof NODES)[number], AgentClient>;
  for (const [index, node] of NODES.entries()) {
    await add(node);
    await ip("-n", name("switch"), "link", "add", node, "type", "veth", "peer", "name", "u0", "netns", name(node));
    await ip("-n", name("switch"), "link", "set", node, "master", "sw0", "up");
    await ip("-n", name(node), "addr", "add", `10.9.0.${index + 1}/24`, "dev", "u0");
    await ip("-n", name(node), "link", "set", "u0", "up");
    await mkdir(join(folder, node));
    const args = ["netns", "exec", name(node), process.execPath, AGENT, node, folder];
    await firstLine(spawn("ip", args, { stdio: ["pipe", "pipe", "inherit"] }));
    const client = connectAgent({ address: `unix://${join(folder, `${node}.sock`)}` });
    opened.defer(() => client.close());
    agents[node] = client;
  }
  const whole = opened.move();
  const inside = (which: string, ...command: string[]) => ["netns", "exec", name(which), ...command];
  return {
    ...{ folder, agents, name, ip },
    inside: async (which: string, ...command: string[]) => (await run("ip", inside(which, ...command))).stdout,
    start: (which: string, ...command: string[]) =>
      spawn("ip", inside(which, ...command), { stdio: ["ignore", "pipe", "inherit"] }),
    async boot(node: (typeof NODES)[number], vm: string, spec: VmSpec) {
      await agents[node].putVm(vmName(vm), aPut({ id: `put-${vm}`, spec, generation: 1 }), NEVER);
      const { outcome, error } = await agents[node].operate(
        vmName(vm),
        { id: `boot-${vm}`, expect: null, kind: "boot" },
        NEVER,
      );
      expect({ outcome, error }).toEqual({ outcome: "done", error: null });
    },
    log: (node: string, vm: string) =>
      readFile(join(folder, node, "d/vms", vm, "logs/console.log"), "latin1").catch(() => ""),
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) return line;
  throw new Error("it ended without a word");
}

describe.runIf(CAN)("a network of type vxlan", () => {
  test("spans three nodes; a guest moves as it runs, and keeps its address and its connections", async () => {
    await using world = await aSpanningWorld();
    const boot = await linuxBoot(join(world.folder, "linux"), { network: true });
    await world.boot("n1", "web", specOf(1, { boot, memory: { sizeMiB: 96, maxMiB: 96 } }));
    await world.boot("n3", "other", specOf(3, {}));
    // Somebody beside the guest on the third node, to talk to it.
    await world.ip(
      "-n",
      world.name("n3"),
      "link",
      "add",
      "peer0",
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      world.name("peer"),
    );
    await world.ip("-n", world.name("n3"), "link", "set", "peer0", "mtu", "1450", "master", BRIDGE, "up");
    await world.ip("-n", world.name("peer"), "link", "set", "eth0", "mtu", "1450", "up");
    await world.ip("-n", world.name("peer"), "addr", "add", "10.30.0.9/24", "dev", "eth0");
    await until(
      "it has its address",
      async () => (await world.log("n1", "web")).includes("LEASED 10.30.0.51 mtu 1450"),
      PATIENCE_MS,
    );

    const talk = world.start("peer", "python3", FRAMES, "talk", "10.30.0.51", "7");
    const answered: number[] = [];
    let ended = false;
    talk.once("exit", () => {
      ended = true;
    });
    createInterface({ input: talk.stdout as NodeJS.ReadableStream }).on("line", (line) => answered.push(Number(line)));
    await until("it answers", () => answered.length > 3, PATIENCE_MS);
    const { n1, n2 } = world.agents;
    const report = await n1.vm(vmName("web"), NEVER);
    const moved = await moveGuest(
      {
        ...{ vm: vmName("web"), report, fleet: null, ticket: makeTicket(), ids: { expect: "e", migrate: "m" } },
        from: { node: nodeName("n1"), agent: n1 },
        to: { node: nodeName("n2"), agent: n2, address: `unix://${join(world.folder, "n2.sock")}` },
      },
      NEVER,
    );
    expect(moved).toMatchObject({ outcome: "done" });
    const before = answered.length;
    await until("it answers from there", () => answered.length > before + 20 || ended, PATIENCE_MS);
    expect(ended).toBe(false);
    // One connection all the time: no number was lost or came twice.
    expect(answered).toEqual(answered.map((_, index) => index));
    const { addresses } = await n2.vm(vmName("web"), NEVER);
    expect(addresses?.[0]).toEqual({ address: "10.30.0.51", source: "declared", nic: "eth0" });
    // Where nobody is left nothing of it is.
    await until(
      "it is gone from there",
      async () => !(await world.inside("n1", "ip", "-brief", "link")).includes("od"),
      PATIENCE_MS,
    );
    expect(await world.inside("n1", "nft", "list", "ruleset")).toBe("");
    for (const [node, vm] of [
      ["n2", "web"],
      ["n3", "other"],
    ] as const) {
      await world.agents[node].operate(
        vmName(vm),
        { id: `off-${vm}`, expect: null, kind: "shutdown", graceSeconds: 0 },
        NEVER,
      );
      expect(await world.inside(node, "nft", "list", "ruleset")).toBe("");
      expect((await world.inside(node, "ip", "-brief", "link")).match(/^od\S*/gm)).toBeNull();
      expect(
        await world.inside(node, "busybox", "pgrep", "-f", join(world.folder, node, "r/networks")).catch(() => ""),
      ).toBe("");
    }
  }, 600_000);
});
