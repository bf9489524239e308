/** What Cloud Hypervisor would refuse, ignore or die of is told with the line where it is written, all at once. */
import { describe, expect, test } from "vitest";
import { aDocument, aVm, mistakesIn } from "../support/manifest-texts.ts";

/** Line and column count from the first line of `spec`. */
const mistakesOf = (spec: string): readonly string[] =>
  mistakesIn({ "v.yaml": aVm("v", spec) }).map((mistake) =>
    mistake.replace(/^v\.yaml:(\d+):(\d+)/, (_, line, column) => `${Number(line) - 5}:${Number(column) - 2}`),
  );

describe("in the section itself", () => {
  test.each([
    ["a field that nobody knows", "size: 1GiB\ncloudHypervisor:\n  watchdgo: true", "3:13 ", "did you mean watchdog?"],
    ["deep inside of a list", "size: 1GiB\ncloudHypervisor:\n  vsock: { cid: 2, socket: /v }", "3:17 ", "reserved"],
    [
      "in an item of a list",
      "size: 1GiB\ncpus: 2\ncloudHypervisor:\n  disks:\n    - { id: root, num_queues: 4 }",
      "5:31 ",
      "4 queues are more than the 2 CPUs",
    ],
    [
      "of the wrong type",
      'size: 1GiB\ncloudHypervisor:\n  balloon: { size: "1G" }',
      "3:20 ",
      "balloon.size is a text and must be a whole number",
    ],
    [
      "that needs what is not there",
      "size: 1GiB\ncloudHypervisor:\n  fs:\n    - { tag: home, socket: /run/home.sock }",
      "3:3 ",
      "memory, which is not shared",
    ],
    [
      "that the spec's own fields say",
      "size: 1GiB\ncloudHypervisor:\n  cpus: { boot_vcpus: 2 }",
      "3:23 ",
      "write cpus.count",
    ],
    [
      "that its disk says",
      "size: 1GiB\ncloudHypervisor:\n  disks: [{ id: root, path: /etc/shadow }]",
      "3:29 ",
      "path of root is what the spec's own fields say",
    ],
  ])("%s", (_, spec, place, said) => {
    const mistakes = mistakesOf(spec);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]?.startsWith(place), mistakes[0]).toBe(true);
    expect(mistakes[0]).toContain(said);
  });
});

describe("in the fields that the section goes with", () => {
  test("a disk and a NIC of one name", () => {
    const spec = "disks:\n  - { name: data, size: 1GiB }\nnics:\n  - { name: data }";
    expect(mistakesOf(spec)).toEqual([expect.stringMatching(/^4:5 bad-value: .*both called data/)]);
  });

  test("a topology that is not the number of CPUs", () => {
    const section =
      "cloudHypervisor:\n  cpus:\n    topology:\n      { threads_per_core: 2, cores_per_die: 2, dies_per_package: 1, packages: 1 }";
    expect(mistakesOf(`size: 1GiB\ncpus: 3\n${section}`)).toEqual([
      expect.stringMatching(/^5:5 .*= 4 CPUs, and max_vcpus is 3/),
    ]);
    expect(mistakesOf(`size: 1GiB\ncpus: 4\n${section}`)).toEqual([]);
  });

  test("zones that have another size than the VM", () => {
    const section = "cloudHypervisor:\n  memory:\n    zones: [{ id: z0, size: 1073741824 }]";
    expect(mistakesOf(`size: 1GiB\nmemory: 2GiB\n${section}`)).toEqual([
      expect.stringMatching(/^5:12 conflicting-fields: the zones have 1024 MiB in all, and memory.max is 2048/),
      expect.stringMatching(/^5:12 conflicting-fields: the zones have 1024 MiB in all, and memory.size is 2048/),
    ]);
    expect(mistakesOf(`size: 1GiB\nmemory: 1GiB\n${section}`)).toEqual([]);
  });
});

test("a mistake in a profile is told there, once for all its VMs, and all mistakes at once", () => {
  const profile = aDocument(
    "Profile",
    "p",
    "size: 1GiB\ncloudHypervisor:\n  watchdgo: true\n  vsock: { cid: 1, socket: /v }",
  );
  const vms = ["a", "b"].map((name) => aVm(name, "profile: p")).join("---\n");
  expect(mistakesIn({ "p.yaml": profile, "v.yaml": vms }).map((each) => each.split(" ")[0])).toEqual([
    expect.stringMatching(/^p\.yaml:8:\d+$/),
    expect.stringMatching(/^p\.yaml:9:\d+$/),
  ]);
});

test("what only some node cannot do is the node's to tell, not the manifest's", () => {
  expect(mistakesOf("disks:\n  - { name: a, source: 'rbd://pool/a' }\nnics:\n  - { name: eth0 }")).toEqual([]);
});

test("a rehearsal on noop and a VM on qemu are not asked", () => {
  expect(mistakesOf("hypervisor: noop\nsize: 1GiB\ncloudHypervisor: { nonsense: 1 }")).toEqual([]);
});
