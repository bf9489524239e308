/** Taps on a real bridge, in a network namespace of the test's own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { tapName } from "../../../src/agent/launch-command.ts";
import { requires } from "../../support/requirements.ts";

const run = promisify(execFile);

/** A namespace with a bridge; what is in it goes with it. */
async function aNamespace() {
  const name = `odo-${process.pid}`;
  const ip = async (...args: string[]) => (await run("ip", ["-n", name, ...args])).stdout;
  await run("ip", ["netns", "add", name]);
  await ip("link", "add", "br0", "type", "bridge");
  return {
    ip,
    /** Runs a script of test/support inside; gives what it printed. */
    run: async (script: string, ...args: string[]) => {
      const path = fileURLToPath(new URL(`../../support/${script}`, import.meta.url));
      return (await run("ip", ["netns", "exec", name, process.execPath, path, ...args])).stdout.trim();
    },
    [Symbol.asyncDispose]: async () => void (await run("ip", ["netns", "del", name])),
  };
}

test("tap names fit Linux, and differ for every NIC of every VM", () => {
  const long = "x".repeat(63);
  for (const name of [tapName("a", "b"), tapName(long, long)]) expect(name).toMatch(/^odo[0-9a-f]{12}$/);
  expect(tapName("a", "b")).not.toBe(tapName("a", "c"));
  expect(tapName("a-b", "c")).not.toBe(tapName("a", "b-c"));
});

describe.runIf(requires("taps on a bridge", "ip", "network-admin"))("a tap", () => {
  test("is made on its bridge once, and removed once", async () => {
    await using namespace = await aNamespace();
    for (let time = 0; time < 2; time++)
      expect(await namespace.run("tap-script.ts", "prepare", "web-1", "br0")).toBe("");
    const link = await namespace.ip("link", "show", "dev", tapName("web-1", "eth0"));
    expect(link).toContain("master br0");
    expect(link).toContain("UP");
    for (let time = 0; time < 2; time++)
      expect(await namespace.run("tap-script.ts", "remove", "web-1", "br0")).toBe("");
    expect(await namespace.ip("link", "show")).not.toContain(tapName("web-1", "eth0"));
  });

  test("changes neither the address nor the MTU of its bridge", async () => {
    await using namespace = await aNamespace();
    // The node's own connection: an address of a card's, and large frames. Nobody said so to the bridge itself.
    await namespace.ip("link", "add", "up0", "type", "veth", "peer", "name", "up1");
    await namespace.ip("link", "set", "up0", "address", "fc:00:00:00:00:01", "mtu", "9000", "master", "br0");
    await namespace.ip("link", "set", "br0", "up");
    const looks = async (name: string) => {
      const [link] = JSON.parse(await namespace.ip("-json", "link", "show", "dev", name)) as [
        { readonly address: string; readonly mtu: number },
      ];
      return { address: link.address, mtu: link.mtu };
    };
    expect(await looks("br0")).toEqual({ address: "fc:00:00:00:00:01", mtu: 9000 });
    expect(await namespace.run("tap-script.ts", "prepare", "web-1", "br0")).toBe("");
    expect(await looks("br0")).toEqual({ address: "fc:00:00:00:00:01", mtu: 9000 });
    expect(await looks(tapName("web-1", "eth0"))).toEqual({ address: "fe:54:00:00:00:01", mtu: 9000 });
  });

  test("that left its bridge is seen, and put back; one that is gone is not made anew behind its guest", async () => {
    await using namespace = await aNamespace();
    const tap = tapName("web-1", "eth0");
    const look = () => namespace.run("tap-script.ts", "look", "web-1", "br0");
    expect(await look()).toBe("null");
    await namespace.run("tap-script.ts", "prepare", "web-1", "br0");
    expect(await look()).toBe("br0");
    await namespace.ip("link", "set", "dev", tap, "nomaster");
    expect(await look()).toBe("null");
    expect(await namespace.run("tap-script.ts", "replug", "web-1", "br0")).toBe("");
    expect(await look()).toBe("br0");
    await namespace.ip("link", "del", "dev", tap);
    expect(await namespace.run("tap-script.ts", "replug", "web-1", "br0")).toBe("");
    expect(await look()).toBe("null");
  });

  test("is its owner's, also when it was another's before", async () => {
    await using namespace = await aNamespace();
    const ownership = () => namespace.ip("-details", "link", "show", "dev", tapName("web-1", "eth0"));
    expect(await namespace.run("tap-script.ts", "prepare", "web-1", "br0")).toBe("");
    expect(await ownership()).not.toContain("user nobody");
    expect(await namespace.run("tap-script.ts", "prepare", "web-1", "br0", "nobody")).toBe("");
    expect(await ownership()).toContain("user nobody");
  });

  test("on a bridge that is not there is refused, and nothing is left behind", async () => {
    await using namespace = await aNamespace();
    expect(await namespace.run("tap-script.ts", "prepare", "web-1", "br9")).toBe(
      "UNSUPPORTED this node has no bridge br9",
    );
    expect(await namespace.ip("link", "show")).not.toContain("odo");
  });
});

describe.runIf(requires("a guest on a bridge", "ip", "network-admin", "qemu-system-x86_64"))(
  "a guest on a bridge",
  () => {
    test("has its NICs there, from its boot and attached later", async () => {
      await using namespace = await aNamespace();
      expect(await namespace.run("bridged-guest-script.ts")).toBe("as asked");
      expect(await namespace.ip("link", "show")).not.toContain("odo");
    });
  },
);
