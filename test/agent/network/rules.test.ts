/** What guests may send and who may talk to them, proved by packets: real nftables, in namespaces of the test's own. */
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NicRules } from "../../../src/model/vm-spec.ts";
import { aNatNic, aNetworkWorld, type NetworkWorld } from "../../support/a-network-world.ts";
import { requires } from "../../support/requirements.ts";

const CAN = requires("rules for guests' packets", "ip", "nft", "dnsmasq", "busybox", "python3", "network-admin");
const FRAMES = fileURLToPath(new URL("../../support/frames.py", import.meta.url));
const HONEST = ["arp-probe", "discover", "last", "own-arp", "own-ip", "own-ip6", "own-na", "own-rarp"];

describe.runIf(CAN)("guests of a network", () => {
  let world: NetworkWorld;
  beforeAll(async () => {
    world = await aNetworkWorld();
    for (const [index, vm] of ["a", "b", "c"].entries()) await world.guest(vm, aNatNic(index + 1));
    for (const vm of ["a", "b", "c", "w"]) await serves(vm, 22);
    await serves("b", 80);
  }, 120_000);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const python = (...args: string[]) => ["python3", FRAMES, ...args];
  /** Once, briefly: for what is to be refused. */
  const can = (vm: string, protocol: "tcp" | "udp", host: string, port: number) =>
    world.guestCan(vm, ...python("try", protocol, host, `${port}`));
  /** Asks until it is answered. */
  const reaches = (vm: string, protocol: "tcp" | "udp", host: string, port: number) =>
    world.guestCan(vm, ...python("reach", protocol, host, `${port}`));
  /** Of a process that goes with the world: its lines, from the moment it is ready. */
  async function lines(where: string, ...args: string[]) {
    const child = world.start(where, ...python(...args));
    const read = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    expect((await read.next()).value).toBe("ready");
    return read;
  }
  const serves = (where: string, port: number) => lines(where, "serve", `${port}`);
  async function set(vm: string, index: number, rules: NicRules) {
    const answer = await world.say({ act: "update", vm, nics: [aNatNic(index, { rules })] });
    expect(answer.refused).toBeUndefined();
  }

  test("send only what is their own, whether the kernel shows bridged packets to others or not", async () => {
    for (const netfilter of ["1", "0"]) {
      await world.host("sysctl", "-qw", `net.bridge.bridge-nf-call-iptables=${netfilter}`).catch(() => {});
      const heard = await lines("b", "hear", "eth0");
      await world.inGuest("a", ...python("send", "eth0", "52:54:00:00:00:01", "10.20.0.51", "10.20.0.52"));
      expect((await heard.next()).value).toBe(HONEST.join(" "));
    }
  }, 90_000);

  test("send anything where nobody said otherwise: the test can tell", async () => {
    await set("a", 1, {});
    const heard = await lines("b", "hear", "eth0");
    await world.inGuest("a", ...python("send", "eth0", "52:54:00:00:00:01", "10.20.0.51", "10.20.0.52"));
    expect(((await heard.next()).value as string).split(" ").length).toBeGreaterThan(20);
    await set("a", 1, { antiSpoofing: true });
    // Everybody believed what it said of its neighbour's address.
    await world.host("ip", "neigh", "flush", "all");
    for (const vm of ["b", "c"]) await world.inGuest(vm, "ip", "neigh", "flush", "all");
  });

  test("are talked to by whom they allow, and answered by everybody", async () => {
    expect(await reaches("a", "tcp", "10.20.0.52", 80)).toBe(true);
    await set("b", 2, {
      antiSpoofing: true,
      allow: [
        { protocol: "tcp", ports: [[22, 22]], from: ["10.20.0.51"] },
        { protocol: "udp", ports: [[20, 30]], from: ["10.20.0.53", "fd00:20::/64"] },
      ],
    });
    const reached = await Promise.all([
      ...[reaches("a", "tcp", "10.20.0.52", 22), can("c", "tcp", "10.20.0.52", 22), can("a", "tcp", "10.20.0.52", 80)],
      ...[can("a", "udp", "10.20.0.52", 22), reaches("c", "udp", "10.20.0.52", 22)],
      world.guestCan("a", "busybox", "ping", "-c", "1", "-W", "1", "10.20.0.52"),
    ]);
    expect(reached).toEqual([true, false, false, false, true, false]);
    // What it asks itself is answered: by neighbours, by the world, by the network's own server.
    const answered = await Promise.all([
      ...[reaches("b", "tcp", "10.20.0.53", 22), reaches("b", "udp", "10.20.0.53", 22)],
      ...[reaches("b", "tcp", "198.51.100.2", 22), reaches("b", "udp", "198.51.100.2", 22)],
      world.guestCan("b", "busybox", "ping", "-c", "1", "-W", "15", "10.20.0.53"),
      world.guestCan("b", "busybox", "nslookup", "a.home.internal", "10.20.0.1"),
    ]);
    expect(answered).toEqual([true, true, true, true, true, true]);
    const nobody = { antiSpoofing: true, allow: [] } as const;
    await set("b", 2, nobody);
    expect(await world.guest("b", aNatNic(2, { rules: nobody }))).toContain("10.20.0.52");
    expect(await can("a", "tcp", "10.20.0.52", 22)).toBe(false);
    await set("b", 2, { antiSpoofing: true });
  });

  test("that are isolated reach the world and not one another", async () => {
    for (const [index, vm] of ["a", "c"].entries())
      await set(vm, 2 * index + 1, { antiSpoofing: true, isolated: true });
    expect(await Promise.all([can("a", "tcp", "10.20.0.53", 22), can("c", "tcp", "10.20.0.51", 22)])).toEqual([
      false,
      false,
    ]);
    expect(await reaches("a", "tcp", "198.51.100.2", 22)).toBe(true);
    // One that is not is their neighbour still.
    expect(await reaches("a", "tcp", "10.20.0.52", 22)).toBe(true);
    for (const [index, vm] of ["a", "c"].entries()) await set(vm, 2 * index + 1, { antiSpoofing: true });
    expect(await reaches("a", "tcp", "10.20.0.53", 22)).toBe(true);
  });

  test("are reached by the node's ports that are forwarded to them", async () => {
    const forwards = [
      { guestPort: 22, protocol: "tcp", host: "0.0.0.0", hostPort: 2222 },
      { guestPort: 22, protocol: "udp", host: "198.51.100.1", hostPort: 2223 },
      { guestPort: 80, protocol: "tcp", host: "127.0.0.1", hostPort: 8080 },
    ] as const;
    const nic = aNatNic(2, { forwards });
    expect((await world.say({ act: "update", vm: "b", nics: [nic] })).refused).toBeUndefined();
    const from = (where: "host" | "world", act: "try" | "reach", ...args: string[]) =>
      world[where](...python(act, ...args)).then(
        (said) => said.trim() || "answered",
        () => "no",
      );
    // The guest sees who asks.
    expect(await from("world", "reach", "tcp", "198.51.100.1", "2222")).toBe("::ffff:198.51.100.2");
    expect(await from("world", "reach", "udp", "198.51.100.1", "2223")).toBe("answered");
    expect(await from("world", "try", "tcp", "198.51.100.1", "8080")).toBe("no");
    expect(await from("host", "reach", "tcp", "127.0.0.1", "8080")).toBe("::ffff:10.20.0.1");
    expect(await from("host", "reach", "tcp", "198.51.100.1", "2222")).not.toBe("no");
    // A neighbour by the node's port, and nobody by the node's loopback.
    expect(await reaches("a", "tcp", "198.51.100.1", 2222)).toBe(true);
    await world.inGuest("a", "ip", "route", "add", "127.0.0.77/32", "via", "10.20.0.1").catch(() => {});
    expect((await world.say({ act: "update", vm: "b", nics: [aNatNic(2)] })).refused).toBeUndefined();
    expect(await from("world", "try", "tcp", "198.51.100.1", "2222")).toBe("no");
  });

  test("leave nothing behind", async () => {
    for (const [index, vm] of ["a", "b", "c"].entries())
      await world.say({ act: "remove", vm, nics: [aNatNic(index + 1)] });
    expect(await world.links()).toEqual([]);
    expect(await world.rules()).toBe("");
  });
});
