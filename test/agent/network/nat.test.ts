/** Networks that an agent makes, with real packets, real nftables and a real dnsmasq, in namespaces of the test's own. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aNatNic, aNetworkWorld, BRIDGE, endIfThere, NAT, type NetworkWorld } from "../../support/a-network-world.ts";
import { requires } from "../../support/requirements.ts";

const CAN = requires("networks that agents make", "ip", "nft", "dnsmasq", "busybox", "network-admin");
const ping = (to: string, seconds = 15) => ["busybox", "ping", "-c", "1", "-W", `${seconds}`, to] as const;

describe.runIf(CAN)("a network of type nat", () => {
  let world: NetworkWorld;
  beforeAll(async () => {
    world = await aNetworkWorld();
  }, 60_000);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test("gives each guest the address that it declares, or one of its own, and tells it the rest", async () => {
    expect(await world.guest("a", aNatNic(1))).toBe(
      "10.20.0.51/24 via 10.20.0.1 dns 10.20.0.1 mtu 1500 domain home.internal name a",
    );
    const leased = await world.guest("b", aNatNic(2, { address: null }));
    expect(leased).toMatch(/^10\.20\.0\.\d+\/24 via 10\.20\.0\.1 .* name b$/);
    const { report } = await world.say({ act: "report" });
    expect(report).toEqual([
      {
        name: "home",
        bridge: BRIDGE,
        guests: 2,
        mtu: 1500,
        addresses: ["10.20.0.1/24", "fd00:20::1/64"],
        problem: null,
      },
    ]);
  });

  test("lets them reach one another by name, and the world under the node's address", async () => {
    const known = await world.inGuest("b", "busybox", "nslookup", "a.home.internal", "10.20.0.1");
    expect(known).toContain("10.20.0.51");
    expect(known).toContain("fd00:20::5054:ff:fe00:1");
    expect(await world.guestCan("b", ...ping("10.20.0.51"))).toBe(true);
    // It has no way back to 10.20.0.0/24: what arrives there was translated.
    expect(await world.guestCan("a", ...ping("198.51.100.2"))).toBe(true);
  });

  test("lets nobody in who was not asked", async () => {
    await world.world("ip", "route", "add", "10.20.0.0/24", "via", "198.51.100.1");
    await expect(world.world(...ping("10.20.0.51", 2))).rejects.toThrow();
    await world.world("ip", "route", "del", "10.20.0.0/24");
  });

  test("stands again when somebody took it apart, and says so", async () => {
    const expectRestored = async (what: RegExp) => {
      const { events } = await world.say({ act: "settle" });
      expect(events).toEqual([
        expect.stringMatching(/^a,b: network home was changed, and not by its agent: .*; it is restored$/),
      ]);
      expect(events?.[0]).toMatch(what);
      expect((await world.say({ act: "settle" })).events).toEqual([]);
      expect(await world.guestCan("b", ...ping("10.20.0.51"))).toBe(true);
      expect(await world.guestCan("a", ...ping("198.51.100.2"))).toBe(true);
    };
    await world.host("nft", "flush", "ruleset");
    await expectRestored(/its rules were gone/);
    const [, table] = /table bridge (\S+)/.exec(await world.rules()) ?? [];
    await world.host("nft", "flush", "chain", "bridge", table as string, "in");
    await expectRestored(/somebody had changed its rules/);
    await world.host("ip", "link", "del", "dev", BRIDGE);
    await expectRestored(/its bridge odb123456789abc was gone/);
    await world.host("ip", "addr", "flush", "dev", BRIDGE);
    await world.host("ip", "link", "set", "dev", BRIDGE, "mtu", "1400");
    await expectRestored(/had an MTU of 1400/);
    for (const pid of await dnsmasqs(world)) endIfThere(pid);
    await expectRestored(/its server was gone/);
    expect(await world.inGuest("b", "busybox", "nslookup", "a.home.internal", "10.20.0.1")).toContain("10.20.0.51");
    // Guests keep what they have: the lease is in the configuration.
    expect(await world.guest("b", aNatNic(2, { address: null }))).toMatch(/name b$/);
  });

  test("is gone with the last guest, and leaves nothing", async () => {
    await world.say({ act: "remove", vm: "a", nics: [aNatNic(1)] });
    expect(await world.links()).toContain(BRIDGE);
    await world.say({ act: "remove", vm: "b", nics: [aNatNic(2)] });
    expect(await world.links()).toEqual([]);
    expect(await world.rules()).toBe("");
    expect(await dnsmasqs(world)).toEqual([]);
    expect(await readdir(join(world.folder, "run"))).toEqual([]);
    expect(JSON.parse(await readFile(join(world.folder, "data/networks.json"), "utf8")).begun).toEqual([]);
  });

  test("a killed agent's work is taken up at whichever command it ended", async () => {
    const nics = [aNatNic(1)];
    let at = 1;
    for (; ; at++) {
      await world.say({ act: "anew", dieAt: at });
      const { killed } = await world.say({ act: "prepare", vm: "a", namespace: namespaceOf(world, "a"), nics });
      if (killed === undefined) break;
      // The next one finds the guest's record: it goes on.
      await world.say({ act: "anew", dieAt: 0 });
      const { refused } = await world.say({ act: "prepare", vm: "a", namespace: namespaceOf(world, "a"), nics });
      expect(refused, `killed at ${at}`).toBeUndefined();
      expect((await world.rules()).match(/^table/gm)).toHaveLength(2);
      // And is killed while it takes the network away: another one does the rest.
      for (let until = 1; ; until++) {
        await world.say({ act: "anew", dieAt: until });
        const removed = await world.say({ act: "remove", vm: "a", nics });
        if (removed.killed === undefined) break;
        if (at > 1) break;
      }
      await world.say({ act: "anew", dieAt: 0, forget: true });
      await world.say({ act: "settle" });
      expect(await world.links(), `killed at ${at}`).toEqual([]);
      expect(await world.rules()).toBe("");
      expect(await dnsmasqs(world)).toEqual([]);
    }
    expect(at).toBeGreaterThan(6);
    await world.say({ act: "anew", dieAt: 0 });
    await world.say({ act: "remove", vm: "a", nics });
    expect(await world.links()).toEqual([]);
  });

  test("what cannot be is refused in words, by the plan and by the boot, and nothing is touched", async () => {
    const prepare = (vm: string, nic = aNatNic(1)) =>
      world.say({ act: "prepare", vm, namespace: namespaceOf(world, "a"), nics: [nic] });
    await world.say({ act: "anew", dieAt: 0, forget: true });
    // Its addresses are in use.
    await world.host("ip", "addr", "add", "10.20.0.200/25", "dev", "up0");
    const inUse = "its addresses are in use on this node: 10.20.0.128/25 on up0";
    expect(await world.look(aNatNic(1))).toEqual({ found: false, problem: inUse });
    expect((await prepare("a")).refused).toContain(inUse);
    await world.host("ip", "addr", "del", "10.20.0.200/25", "dev", "up0");
    expect(await world.look(aNatNic(1))).toEqual({ found: true });
    // No address is left.
    const small = { ...NAT, subnet: "10.20.0.0/30" };
    const tight = (number: number) => aNatNic(number, { address: null, made: small });
    expect((await prepare("a", tight(1))).refused).toBeUndefined();
    expect((await prepare("b", tight(2))).refused).toContain("it has no address left for b's eth0");
    await world.say({ act: "remove", vm: "a", nics: [tight(1)] });
    // Packets that do not fit.
    const vxlan = { type: "vxlan", id: 7, port: 4789, peers: { n1: "198.51.100.1" }, mtu: 1500 } as const;
    expect(await world.look(aNatNic(1, { made: vxlan }))).toEqual({
      ...{ found: false, problem: "packets of 1500 bytes do not fit: up0 carries 1450 beside the way between nodes" },
    });
    // Another agent of this node.
    expect((await prepare("a")).refused).toBeUndefined();
    const rules = await world.rules();
    await world.say({ act: "anew", dieAt: 0, owner: "id-2", dataFolder: join(world.folder, "other"), forget: true });
    expect((await prepare("a")).refused).toContain(`${BRIDGE} is another agent's (odorobo:id-1:home)`);
    expect(await world.rules()).toBe(rules);
    await world.say({ act: "anew", dieAt: 0 });
    await world.say({ act: "remove", vm: "a", nics: [aNatNic(1)] });
    expect(await world.links()).toEqual([]);
  });
});

const namespaceOf = (world: NetworkWorld, vm: string): string => world.namespace(vm);

async function dnsmasqs(world: NetworkWorld): Promise<readonly number[]> {
  const pids = (await world.host("busybox", "pidof", "dnsmasq").catch(() => ""))
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number);
  const own = await Promise.all(
    pids.map(async (pid) => (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(world.folder)),
  );
  return pids.filter((_, index) => own[index]);
}
