/** Slips that come from elsewhere (a merge, a word processor, a network plan) are called what they are. */
import { expect, test } from "vitest";
import { isSelected } from "../../src/reconcile/select.ts";
import { aVm, mistakesIn } from "../support/manifest-texts.ts";

const said = (spec: string): string => mistakesIn({ "a.yaml": aVm("a", `size: 1GiB\n${spec}`) }).join("\n");

test("a conflict that a merge left, told once", () => {
  const text = `${aVm("a")}<<<<<<< HEAD\n  cpus: 1\n=======\n  cpus: 2\n>>>>>>> other\n`;
  expect(mistakesIn({ "a.yaml": text })).toEqual([
    expect.stringContaining("7:1 yaml-syntax: a merge conflict was left here"),
  ]);
});

test("typographic quotes and spaces that are none", () => {
  expect(said("hypervisor: “qemu”")).toContain("these quotes are typographic");
  expect(said("group: “web”")).toContain("these quotes are typographic");
  expect(said("\u00a0cpus: 1")).toContain("a no-break space");
  expect(said("cpus:\u00a01")).toContain("a no-break space");
});

test.each([
  ["10.0.0.5", "write 10.0.0.5/24, with the network's own prefix length"],
  ["10.0.0.0/24", "10.0.0.0/24 is the network's own address, and no host's"],
  ["10.0.0.255/24", "10.0.0.255/24 is the network's broadcast address, and no host's"],
  ["fd00::/64", "fd00::/64 is the network's own address, and no host's"],
])("the address %s", (address, words) => {
  expect(said(`nics: [{ name: a, address: "${address}" }]`)).toContain(words);
});

test.each(["10.0.0.0/31", "10.0.0.1/31", "10.0.0.0/32", "10.0.1.0/23", "fd00::1/64", "fd00::/127"])(
  "%s is a host's",
  (address) => {
    expect(said(`nics: [{ name: a, address: "${address}" }]`)).toBe("");
  },
);

test("what seems to be missing may stand in the file that cannot be read", () => {
  const files = { "a.yaml": aVm("a", "profile: p"), "p.yaml": "kind: [Profile\n" };
  expect(mistakesIn(files)).toEqual([expect.stringContaining("p.yaml:")]);
});

test.each([
  ["web-[12]", ["web-1", "web-2"]],
  ["web-[!1]", ["web-2", "web-3"]],
  ["{db,web}-1", ["db-1", "web-1"]],
  ["web-?", ["web-1", "web-2", "web-3"]],
  ["web-[3-1]", []],
  ["web.1", []],
])("the glob %s", (pattern, names) => {
  const vms = ["web-1", "web-2", "web-3", "db-1"].map((name) => ({ name, labels: {} }));
  expect(
    vms
      .filter((vm) => isSelected(vm, { targets: [pattern], excludes: [] }))
      .map(({ name }) => name)
      .sort(),
  ).toEqual(names);
});
