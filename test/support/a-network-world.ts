/**
 * A node in a network namespace of the test's own, with an agent's keeper of networks in it, a namespace that stands for the rest of the world, and
 * one for each guest. What is in them goes with them; nothing outside of them is touched.
 *
 *   await using world = await aNetworkWorld();
 *   await world.guest("a", aNatNic(1));
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { LookAnswer } from "../../src/model/boot/boot-needs.ts";
import { isErrno } from "../../src/model/errors.ts";
import type { NetworkReport } from "../../src/model/observed-state.ts";
import type { MadeNetwork, Nic } from "../../src/model/vm-spec.ts";
import type { Told } from "./network-script.ts";
import { aTempFolder } from "./temp-folder.ts";

const run = promisify(execFile);

export const BRIDGE = "odb123456789abc";

/** The node's underlay, and its way out: 198.51.100.1 on `up0`, with 198.51.100.2 at the other end. */
export const NAT: MadeNetwork = {
  ...{ type: "nat", subnet: "10.20.0.0/24", gateway: "10.20.0.1", subnet6: "fd00:20::/64", ipv6: "slaac" },
  ...{ dhcp: true, domain: "home.internal" },
};

/** Declares 10.20.0.5N. */
export const aNatNic = (number: number, over: Partial<Nic> = {}): Nic => ({
  ...{ name: "eth0", network: "home", attachment: { kind: "bridge", bridge: BRIDGE } },
  ...{ mac: `52:54:00:00:00:0${number}`, address: `10.20.0.5${number}/24` },
  config: { gateway: "10.20.0.1", dns: ["10.20.0.1"], domain: "home.internal" },
  made: NAT,
  rules: { antiSpoofing: true },
  ...over,
});

export interface Answer {
  readonly report?: readonly NetworkReport[];
  readonly events?: readonly string[];
  readonly commands?: number;
  readonly refused?: string;
  readonly cause?: string;
  /** At which command. */
  readonly killed?: number;
}

export interface NetworkWorld extends AsyncDisposable {
  readonly folder: string;
  /** Of a guest. */
  namespace(vm: string): string;
  /** Runs a program in the node's namespace; gives what it printed. */
  host(...command: string[]): Promise<string>;
  /** In the rest of the world. */
  world(...command: string[]): Promise<string>;
  inGuest(vm: string, ...command: string[]): Promise<string>;
  /** In a guest, whether it ends well. */
  guestCan(vm: string, ...command: string[]): Promise<boolean>;
  /** Starts something in a namespace (`h`, `w` or a guest's name) that goes with it. */
  start(where: string, ...command: string[]): ChildProcess;
  say(told: Told): Promise<Answer>;
  look(nic: Nic): Promise<LookAnswer | null>;
  /** With its network made, and an address by DHCP unless told. What udhcpc said: address, router, name servers, MTU, domain, name. */
  guest(vm: string, nic: Nic): Promise<string>;
  /** The names of interfaces on the node, but for those that are there anyway. */
  links(): Promise<readonly string[]>;
  rules(): Promise<string>;
}

const SCRIPT = fileURLToPath(new URL("network-script.ts", import.meta.url));
const LEASED = fileURLToPath(new URL("take-lease.sh", import.meta.url));
let worlds = 0;

export async function aNetworkWorld(): Promise<NetworkWorld> {
  const folder = await aTempFolder();
  const prefix = `odo${process.pid}-${++worlds}`;
  const namespaces = new Set<string>();
  const started: ChildProcess[] = [];
  const name = (which: string) => `${prefix}-${which}`;
  const ip = async (...args: string[]) => (await run("ip", args)).stdout;
  const inside = async (which: string, ...command: string[]) =>
    (await run("ip", ["netns", "exec", name(which), ...command])).stdout;
  const add = async (which: string) => {
    if (namespaces.has(which)) return;
    await ip("netns", "add", name(which));
    namespaces.add(which);
    await ip("-n", name(which), "link", "set", "lo", "up");
  };
  const end = async () => {
    for (const child of started) child.kill("SIGKILL");
    for (const which of namespaces) {
      const pids = (await ip("netns", "pids", name(which))).split("\n").filter(Boolean);
      for (const pid of pids) endIfThere(Number(pid));
      await ip("netns", "del", name(which));
    }
    await folder[Symbol.asyncDispose]();
  };
  try {
    await add("h");
    await add("w");
    await ip("-n", name("h"), "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", name("w"));
    await ip("-n", name("h"), "addr", "add", "198.51.100.1/24", "dev", "up0");
    await ip("-n", name("h"), "link", "set", "up0", "up");
    await ip("-n", name("w"), "addr", "add", "198.51.100.2/24", "dev", "eth0");
    await ip("-n", name("w"), "link", "set", "eth0", "up");
    for (const each of ["data", "run", "other"]) await mkdir(join(folder.path, each));
  } catch (error) {
    await end();
    throw error;
  }
  const args = ["id-1", join(folder.path, "data"), join(folder.path, "run")];
  const agent = spawn("ip", ["netns", "exec", name("h"), process.execPath, SCRIPT, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  started.push(agent);
  const lines = createInterface({ input: agent.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const ask = async (told: Told): Promise<unknown> => {
    agent.stdin.write(`${JSON.stringify(told)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error("the keeper ended");
    return JSON.parse(value);
  };
  const world: NetworkWorld = {
    folder: folder.path,
    namespace: name,
    host: (...command) => inside("h", ...command),
    world: (...command) => inside("w", ...command),
    inGuest: (vm, ...command) => inside(vm, ...command),
    guestCan: (vm, ...command) =>
      inside(vm, ...command).then(
        () => true,
        () => false,
      ),
    start(where, ...command) {
      const child = spawn("ip", ["netns", "exec", name(where), ...command], { stdio: ["ignore", "pipe", "inherit"] });
      started.push(child);
      return child;
    },
    say: (told) => ask(told) as Promise<Answer>,
    look: (nic) => ask({ act: "look", nic }) as Promise<LookAnswer | null>,
    async guest(vm, nic) {
      await add(vm);
      const { refused } = await world.say({ act: "prepare", vm, namespace: name(vm), nics: [nic] });
      if (refused !== undefined) throw new Error(refused);
      return inside(vm, "busybox", "udhcpc", "-i", nic.name, "-O", "mtu", "-n", "-q", "-t", "5", "-s", LEASED).then(
        (said) => said.trim(),
      );
    },
    links: async () =>
      [...(await inside("h", "ip", "-brief", "link")).matchAll(/^([^\s@]+)/gm)]
        .map(([, each]) => each as string)
        .filter((each) => each !== "lo" && each !== "up0")
        .sort(),
    rules: () => inside("h", "nft", "list", "ruleset"),
    [Symbol.asyncDispose]: end,
  };
  return world;
}

/** SIGKILL, if it has not ended by itself meanwhile. */
export function endIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}
