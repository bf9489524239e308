/** Where guests are that nobody gave their address: the neighbour table of the node's bridges. */
import { expect, test } from "vitest";
import { Neighbours, parseNeighbours } from "../../../src/agent/network/neighbours.ts";
import type { Nic } from "../../../src/model/vm-spec.ts";
import { aClock } from "../../support/a-clock.ts";
import { NEVER } from "../../support/an-agent.ts";

// As iproute2 6.1 says it.
const TABLE = JSON.stringify([
  { dst: "10.77.0.11", dev: "br0", lladdr: "52:54:00:00:00:01", state: ["REACHABLE"] },
  { dst: "10.77.0.12", dev: "br0", lladdr: "52:54:00:00:00:02", state: ["STALE"] },
  { dst: "10.78.0.11", dev: "br1", lladdr: "52:54:00:00:00:01", state: ["STALE"] },
  { dst: "10.77.0.13", dev: "br0", state: ["FAILED"] },
  { dst: "fe80::5054:ff:fe00:1", dev: "br0", lladdr: "52:54:00:00:00:01", state: ["STALE"] },
  { dst: "fd00::11", dev: "br0", lladdr: "52:54:00:00:00:01", router: null, state: ["DELAY"] },
]);

const nic = (over: Partial<Nic> = {}): Nic => ({
  ...{ name: "eth0", network: "front", attachment: { kind: "bridge", bridge: "br0" }, mac: "52:54:00:00:00:01" },
  ...{ address: null, ...over },
});

test("a guest is found by its MAC address on its own bridge, and nobody waits for the table", async () => {
  const clock = aClock();
  const asked: PromiseWithResolvers<string>[] = [];
  const neighbours = new Neighbours(async () => {
    const answer = Promise.withResolvers<string>();
    asked.push(answer);
    return parseNeighbours(await answer.promise);
  }, clock);
  const heard = (...nics: readonly Nic[]) => neighbours.of(nics, NEVER).map(({ nic, address }) => `${nic} ${address}`);

  expect(heard(nic({ attachment: { kind: "user" } }))).toEqual([]);
  expect(asked).toHaveLength(0);
  expect(heard(nic())).toEqual([]);
  expect(heard(nic())).toEqual([]);
  expect(asked).toHaveLength(1);
  asked[0]?.resolve(TABLE);
  await neighbours.look;
  expect(heard(nic())).toEqual(["eth0 10.77.0.11", "eth0 fd00::11"]);
  expect(heard(nic({ name: "eth1", attachment: { kind: "bridge", bridge: "br1" } }))).toEqual(["eth1 10.78.0.11"]);

  clock.advance(6000);
  heard(nic());
  expect(asked).toHaveLength(2);
  asked[1]?.reject(new Error("no such program"));
  await neighbours.look;
  expect(heard(nic())).toEqual(["eth0 10.77.0.11", "eth0 fd00::11"]);
});
