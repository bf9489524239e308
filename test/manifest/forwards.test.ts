/** Ports of the node that lead to a guest, as people write them. */
import { expect, test } from "vitest";
import { compareLive, toLiveConfig } from "../../src/model/fields.ts";
import { aDocument, aVm, mistakesIn, readWell, vmOf } from "../support/manifest-texts.ts";

const networks = [
  aDocument("Network", "front", "type: bridge\nbridge: br0"),
  aDocument("Network", "lab", "type: user\nforwards: [22]"),
].join("---\n");

const forwardsOf = (nic: string) => {
  const files = { "n.yaml": networks, "v.yaml": aVm("v", `boot: { kernel: 'builtin:tiny' }\nnics: [${nic}]`) };
  return vmOf(readWell(files), "v").spec.nics[0]?.forwards?.map(
    ({ guestPort, protocol, host, hostPort }) => `${host}:${hostPort ?? "any"} to ${guestPort}/${protocol}`,
  );
};

const mistakes = (nics: string) =>
  mistakesIn({ "n.yaml": networks, "v.yaml": aVm("v", `boot: { kernel: 'builtin:tiny' }\nnics: [${nics}]`) });

test("short forms and parts by name say the same, in any order", () => {
  const expected = ["127.0.0.1:2222 to 22/tcp", "0.0.0.0:5353 to 53/udp", "127.0.0.1:any to 80/tcp"];
  expect(forwardsOf("{ name: eth0, forwards: [80, 2222:22, 0.0.0.0:5353:53/udp] }")).toEqual(expected);
  const named = "{ guest: 53, host: 5353, address: 0.0.0.0, protocol: udp }, { guest: 22, host: 2222 }, { guest: 80 }";
  expect(forwardsOf(`{ name: eth0, forwards: [${named}] }`)).toEqual(expected);
  expect(forwardsOf("{ name: eth0, forwards: ['2222:22/tcp', '80', '0.0.0.0:5353:53/udp'] }")).toEqual(expected);
  expect(forwardsOf("{ name: eth0, forwards: ['127.0.0.1::80'] }")).toEqual(["127.0.0.1:any to 80/tcp"]);
});

test("a NIC without any is as it has ever been, and a Network's are for NICs that have none of their own", () => {
  expect(forwardsOf("{ name: eth0 }")).toBeUndefined();
  expect(forwardsOf("{ name: eth0, network: lab }")).toEqual(["127.0.0.1:any to 22/tcp"]);
  expect(forwardsOf("{ name: eth0, network: lab, forwards: [80] }")).toEqual(["127.0.0.1:any to 80/tcp"]);
  expect(forwardsOf("{ name: eth0, network: lab, forwards: [] }")).toBeUndefined();
});

test("what makes no sense is said where it is written", () => {
  const at = (nics: string) => mistakes(nics).map((each) => each.replace(/ \(.*/, "").replace(/:\d+ /, " "));
  expect(at("{ name: eth0, forwards: ['70000:22'] }")).toEqual([
    "v.yaml:7 bad-value: this is no forward: a port is a number from 1 to 65535, and the node's address an IPv4 address",
  ]);
  expect(at("{ name: eth0, forwards: ['1.2.3.400:1:22'] }")).toHaveLength(1);
  expect(at("{ name: eth0, network: front, forwards: [22] }")).toEqual([
    "v.yaml:7 conflicting-fields: ports are forwarded on networks of type user and nat, and eth0 is on one of type bridge",
  ]);
  expect(at("{ name: eth0, forwards: ['2222:22'] }, { name: eth1, forwards: ['2222:80'] }")).toEqual([
    "v.yaml:7 conflicting-fields: port 2222 of the node is forwarded twice",
  ]);
  expect(at("{ name: eth0, forwards: [22, 22] }")).toEqual([
    "v.yaml:7 conflicting-fields: port 22 of the guest is forwarded twice without saying from which port of the node",
  ]);
  expect(at("{ name: eth0, forwards: [ssh] }")).toHaveLength(1);
});

test("a port that the agent chose is no drift, another or one less is", () => {
  const files = { "v.yaml": aVm("v", "boot: { kernel: 'builtin:tiny' }\nnics: [{ name: eth0, forwards: [22] }]") };
  const { spec } = vmOf(readWell(files), "v");
  const [nic] = spec.nics;
  const [forward] = nic?.forwards ?? [];
  if (nic === undefined || forward === undefined) throw new Error("no forward");
  const seen = (forwards: readonly object[]) =>
    compareLive({ ...toLiveConfig(spec), nics: [{ ...nic, forwards } as typeof nic] }, spec).map(({ path }) => path);
  expect(seen([{ ...forward, hostPort: 20_123 }])).toEqual([]);
  expect(seen([])).toEqual(["nics.eth0"]);
  expect(seen([{ ...forward, guestPort: 23, hostPort: 20_123 }])).toEqual(["nics.eth0"]);
  expect(seen([{ ...forward, host: "0.0.0.0", hostPort: 20_123 }])).toEqual(["nics.eth0"]);
});

test("two VMs that run on one node cannot have one port of it", () => {
  const node = (name: string) => aDocument("Node", name, `address: http://${name}:8890`);
  const vm = (name: string, more: string) =>
    aVm(name, `boot: { kernel: 'builtin:tiny' }\nnics: [{ name: eth0, forwards: ['2222:22'] }]\n${more}`);
  const said = (nodes: readonly string[], ...vms: readonly string[]) =>
    mistakesIn({ "n.yaml": nodes.map(node).join("---\n"), "v.yaml": vms.join("---\n") }).map((each) =>
      each.replace(/^\S+ /, ""),
    );
  expect(said(["n1"], vm("a", "cpus: 1"), vm("b", "cpus: 1"))).toEqual([
    "conflicting-fields: a is to have port 2222 of n1 too (name another one, or none: forwards: [22] has the agent choose one that is free)",
  ]);
  expect(said(["n1", "n2"], vm("a", "cpus: 1"), vm("b", "cpus: 1"))).toEqual([]);
  expect(said(["n1", "n2"], vm("a", "placement: { node: n2 }"), vm("b", "placement: { node: n2 }"))).toHaveLength(1);
  expect(said(["n1"], vm("a", "runStrategy: Manual"), vm("b", "cpus: 1"))).toEqual([]);
});
