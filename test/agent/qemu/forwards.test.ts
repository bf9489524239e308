/** Ports of the node that lead to a real QEMU's guest, at its boot and while it runs. */
import { createConnection } from "node:net";
import { expect, test } from "vitest";
import { parseForwards } from "../../../src/agent/hypervisor/qemu/host-forwards.ts";
import type { Forward, Nic } from "../../../src/model/vm-spec.ts";
import { freePort } from "../../support/free-port.ts";
import { aQemuWorld, patience } from "../../support/qemu-world.ts";

const forward = (guestPort: number, hostPort: number, over: Partial<Forward> = {}): Forward => ({
  ...{ guestPort, protocol: "tcp", host: "127.0.0.1", hostPort },
  ...over,
});
const nic = (name: string, forwards: readonly Forward[]): Nic => ({
  ...{ name, network: "default", attachment: { kind: "user" }, mac: "52:54:00:00:00:01", address: null },
  ...(forwards.length === 0 ? {} : { forwards }),
});

const opens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });

test("forwards are open from the boot on, change while the guest runs, and what somebody took away is seen", async () => {
  await using world = await aQemuWorld();
  const [sshPort, webPort, namePort, otherPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const [ssh, web, name] = [
    forward(22, sshPort),
    forward(80, webPort),
    forward(53, namePort, { protocol: "udp", host: "0.0.0.0" }),
  ];
  const guest = await world.boot("web", { nics: [nic("eth0", [ssh, name])] });
  expect(await opens(sshPort)).toBe(true);
  const live = async () => (await guest.running.liveConfig(patience())).nics.map(({ forwards = [] }) => forwards);
  expect(await live()).toEqual([[ssh, name]]);

  const spec = { ...guest.input.spec, nics: [nic("eth0", [web]), nic("eth1", [forward(22, otherPort)])] };
  await guest.running.update(spec, patience());
  expect(await live()).toEqual([[web], [forward(22, otherPort)]]);
  expect([await opens(sshPort), await opens(webPort), await opens(otherPort)]).toEqual([false, true, true]);

  // Another process, or another VM, has the port: said, and the rest is done.
  const taken = {
    ...spec,
    nics: [nic("eth0", [web, forward(81, otherPort)]), nic("eth1", [forward(22, otherPort), ssh])],
  };
  await expect(guest.running.update(taken, patience())).rejects.toThrow(
    `port ${otherPort} at 127.0.0.1 could not be opened for eth0`,
  );
  expect(await live()).toEqual([[web], [ssh, forward(22, otherPort)].reverse()]);

  await guest.reconnect({ ...spec, nics: [nic("eth0", [web, name]), nic("eth1", [])] });
  expect(await live()).toEqual([[web], expect.arrayContaining([ssh, forward(22, otherPort)])]);
});

test("a port that is taken is told in the words of the spec", async () => {
  await using world = await aQemuWorld();
  const port = await freePort();
  await world.boot("one", { nics: [nic("eth0", [forward(22, port)])] });
  await expect(world.boot("two", { nics: [nic("eth0", [forward(22, port)])] })).rejects.toThrow("did not start");
  const { spec } = await world.input("two", { nics: [nic("eth0", [forward(22, port)])] });
  const words = `qemu-system-x86_64: -netdev user,id=b: Could not set up host forwarding rule 'tcp:127.0.0.1:${port}-:22'`;
  expect(world.hypervisor.explainStart?.(spec, words)).toBe(
    `port ${port} at 127.0.0.1 of its node cannot be opened: something else has it, or it takes root to open it`,
  );
});

test("what QEMU lists: forwards by NIC, and connections are none", () => {
  const text = [
    "Hub -1 (nic-eth0):",
    "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ",
    "  TCP[ESTABLISHED]   15       127.0.0.1  2222       10.0.2.15    22     0     0",
    "  TCP[HOST_FORWARD]  13       127.0.0.1  2222       10.0.2.15    22     0     0",
    "  UDP[HOST_FORWARD]   8               * 36002       10.0.2.15    53     0     0",
    "  UDP[236 sec]        9       10.0.2.15 68          10.0.2.2     67     0     0",
    "Hub -1 (nic-eth1):",
    "",
  ].join("\r\n");
  expect([...parseForwards(text)]).toEqual([
    ["nic-eth0", [forward(22, 2222), forward(53, 36_002, { protocol: "udp", host: "0.0.0.0" })]],
    ["nic-eth1", []],
  ]);
});
