/** Networks: what a NIC carries of them to its agent, and every way to get them wrong. */
import { describe, expect, test } from "vitest";
import type { Nic } from "../../src/model/vm-spec.ts";
import { aDocument, aVm, mistakesIn, read } from "../support/manifest-texts.ts";

const fleet = (...documents: readonly string[]) => ({
  "fleet.yaml": [aDocument("Node", "n1", "address: http://10.0.0.1:8890"), ...documents].join("---\n"),
});
const TINY = "boot: { kernel: 'builtin:tiny' }\nhypervisor: qemu";

function nicOf(network: string, nic: string, ...others: readonly string[]): Nic {
  const vm = aVm("web", `${TINY}\nnics:\n  - { name: eth0, network: net, mac: '02:00:00:00:00:01'${nic} }`);
  const { desired, diagnostics } = read(fleet(aDocument("Network", "net", network), vm, ...others));
  expect(diagnostics).toEqual([]);
  return desired?.vms.find(({ name }) => name === "web")?.spec.nics[0] as Nic;
}

describe("a NIC carries what its agent needs to know", () => {
  test("of nat: subnet, gateway, names, and that it sends only what is its own", () => {
    const nic = nicOf("type: nat\nsubnet: 10.20.0.0/24\nsubnet6: fd00:20::/64", "");
    expect(nic).toMatchObject({
      attachment: { kind: "bridge", bridge: expect.stringMatching(/^odb[0-9a-f]{12}$/) },
      config: { gateway: "10.20.0.1", dns: ["10.20.0.1"], domain: "net.internal" },
      made: {
        ...{ type: "nat", subnet: "10.20.0.0/24", gateway: "10.20.0.1", subnet6: "fd00:20::/64", ipv6: "slaac" },
        ...{ dhcp: true, domain: "net.internal" },
      },
      rules: { antiSpoofing: true },
    });
  });

  test("of vxlan: where the others are", () => {
    const nodes =
      aDocument("Node", "n2", "address: https://[fd00:0::2]:8890") +
      "---\n" +
      aDocument("Node", "n3", "address: http://n3.example:8890\nnetwork: { underlay: 10.9.0.3 }");
    const nic = nicOf("type: vxlan\nid: 4242\nsubnet: 10.30.0.0/24", ", address: 10.30.0.5/24", nodes);
    expect(nic.made).toMatchObject({ id: 4242, port: 4789, peers: { n1: "10.0.0.1", n2: "fd00::2", n3: "10.9.0.3" } });
  });

  test("of a bridge of the node's own: nothing unless something is said", () => {
    expect(nicOf("type: bridge\nbridge: br0", "")).toEqual({
      ...{ name: "eth0", network: "net", attachment: { kind: "bridge", bridge: "br0" } },
      ...{ mac: "02:00:00:00:00:01", address: null },
    });
    expect(nicOf("type: bridge\nbridge: br0\nisolated: true\ndns: [10.0.0.2]", ", gateway: 10.0.0.1")).toMatchObject({
      ...{ config: { gateway: "10.0.0.1", dns: ["10.0.0.2"] }, rules: { isolated: true } },
    });
  });

  test("of firewalls: its own before its network's, groups by their members' addresses", () => {
    const network = "type: nat\nsubnet: 10.20.0.0/24\nfirewall: { allow: [{ port: 22 }] }";
    expect(nicOf(network, "").rules?.allow).toEqual([{ ports: [[22, 22]], protocol: "tcp" }]);
    expect(nicOf(network, ", firewall: { allow: [] }").rules?.allow).toEqual([]);
    const member = (name: string, address: string) =>
      aVm(name, `${TINY}\ngroup: front\nnics: [{ name: eth0, network: net, address: ${address}/24 }]`);
    const allow = "[{ from: [group:front, 10.1.2.3/8], port: [80, 8000-8100] }, { protocol: icmp, from: any }]";
    const others = [aDocument("Group", "front"), member("f2", "10.20.0.12"), member("f1", "10.20.0.11")].join("---\n");
    expect(nicOf(network, `, firewall: { allow: ${allow} }`, others).rules?.allow).toEqual([
      {
        from: ["10.0.0.0/8", "10.20.0.11", "10.20.0.12"],
        ports: [
          [80, 80],
          [8000, 8100],
        ],
        protocol: "tcp",
      },
      { protocol: "icmp" },
    ]);
  });

  test("its bridge has a name of its own in every fleet", () => {
    const bridges = ["net", "other"].map((name) => {
      const vm = aVm("web", `${TINY}\nnics: [{ name: eth0, network: ${name} }]`);
      const { desired } = read(fleet(aDocument("Network", name, "type: nat\nsubnet: 10.20.0.0/24"), vm));
      return desired?.vms[0]?.spec.nics[0]?.attachment;
    });
    expect(bridges[0]).not.toEqual(bridges[1]);
  });
});

const NETWORK_MISTAKES: readonly (readonly [spec: string, said: string])[] = [
  ["type: nat", "which addresses?"],
  ["type: vlan\nid: 4095\nparent: eno1", "there is no VLAN 4095"],
  ["type: vlan", "which VLAN?"],
  ["type: vlan\nid: 7", "on which card?"],
  ["type: vxlan", "which VNI?"],
  ["type: user\nsubnet: 10.0.0.0/24", "a network of type user has no subnet"],
  ["type: nat\nsubnet: 10.20.0.7/24", "10.20.0.7/24 is an address in a subnet, and not a subnet"],
  ["type: nat\nsubnet: 10.20.0.0/31", "10.20.0.0/31 has no room for a gateway and a guest"],
  ["type: nat\nsubnet: 10.300.0.0/24", "10.300.0.0/24 is no subnet"],
  ["type: nat\nsubnet: 10.20.0.0/24\ngateway: 10.21.0.1", "10.21.0.1 is no host of 10.20.0.0/24"],
  ["type: nat\nsubnet: 10.20.0.0/24\ngateway: 10.20.0.255", "10.20.0.255 is no host of 10.20.0.0/24"],
  ["type: nat\nsubnet: 10.20.0.0/24\nfirewall: { allow: [{ port: 9-1 }] }", "9-1 is no range of ports"],
  ["type: nat\nsubnet: 10.20.0.0/24\nfirewall: { allow: [{ protocol: icmp, port: 9 }] }", "protocol icmp has no ports"],
  ["type: nat\nsubnet: 10.20.0.0/24\nroutes: [{ to: 10.0.0.0/99, via: 10.20.0.9 }]", "this is no way to a subnet"],
];

test.each(NETWORK_MISTAKES)("%j", (spec, said) => {
  expect(mistakesIn(fleet(aDocument("Network", "net", spec))).join("\n")).toContain(said);
});

test("networks that no node could have beside one another", () => {
  const one = aDocument("Network", "one", "type: nat\nsubnet: 10.20.0.0/16");
  const two = aDocument("Network", "two", "type: routed\nsubnet: 10.20.3.0/24");
  expect(mistakesIn(fleet(one, two)).join("\n")).toContain("network one has addresses of it, too: 10.20.0.0/16");
  const vxlans = ["a", "b"].map((name) => aDocument("Network", name, "type: vxlan\nid: 7"));
  const node = aDocument("Node", "n2", "address: http://10.0.0.2:1");
  const text = [...vxlans, node, aDocument("Node", "n4", "address: http://n4.example:1")].join("---\n");
  const said = mistakesIn({ "fleet.yaml": text });
  expect(said.join("\n")).toContain("network a is VNI 7 on port 4789 already");
  expect(said.join("\n")).toContain("network a spans the fleet's nodes, and nobody knows this one's address there");
});

const NIC_MISTAKES: readonly (readonly [network: string, nic: string, said: string])[] = [
  ["type: nat\nsubnet: 10.20.0.0/24", "address: 10.21.0.4/24", "10.21.0.4/24 is no address of network net"],
  ["type: nat\nsubnet: 10.20.0.0/24", "address: 10.20.0.4/16", "10.20.0.4/16 is no address of network net"],
  ["type: nat\nsubnet: 10.20.0.0/24", "address: 10.20.0.1/24", "10.20.0.1 is the gateway of network net"],
  ["type: nat\nsubnet: 10.20.0.0/24", "address: 'fd00::4/64'", "network net has no subnet6"],
  ["type: vxlan\nid: 5\nsubnet: 10.20.0.0/24", "mac: '02:00:00:00:00:01'", "NIC eth0 has no address"],
  ["type: user", "gateway: 10.0.0.1", "gateway has no effect: network net is of type user"],
];

test.each(NIC_MISTAKES)("%j with %j", (network, nic, said) => {
  const vm = aVm("web", `${TINY}\nnics: [{ name: eth0, network: net, ${nic} }]`);
  const node = aDocument("Node", "n2", "address: http://10.0.0.2:1");
  const text = [node, aDocument("Network", "net", network), vm].join("---\n");
  expect(mistakesIn({ "fleet.yaml": text }).join("\n")).toContain(said);
});
