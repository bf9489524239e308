/** Every mistake is found at its place, says what is wrong, and what to do. */
import { describe, expect, test } from "vitest";
import { API, aDocument, aNode, aVm, mistakesIn, read } from "../support/manifest-texts.ts";

const shared = [
  aDocument("Image", "debian-12", "path: /images/debian.qcow2"),
  aDocument("Network", "front", "type: bridge\nbridge: br0"),
  aDocument("Group", "web"),
  aDocument("Profile", "small", "cpus: 1"),
  aNode("n1", "{ ssd: 'true' }"),
  aNode("n2"),
].join("---\n");

/** A spec with one mistake (its lines begin at line 6, column 3) → what is said about it. */
const MISTAKES: readonly (readonly [spec: string, said: string])[] = [
  ["cpu: 2\nimage: debian-12\nsize: 1GiB", '6:3 unknown-field: unknown field "cpu" (did you mean "cpus"?)'],
  // Two letters in each other's place are one mistake.
  ["cpsu: 2\nimage: debian-12\nsize: 1GiB", '6:3 unknown-field: unknown field "cpsu" (did you mean "cpus"?)'],
  [
    "memory: 64\nimage: debian-12\nsize: 1GiB",
    "6:11 wrong-type: memory must be a size such as 512MiB or 4GiB or a map, not a number (write a unit: 64MiB or 64GiB)",
  ],
  ["image: debian-12\nsize: 20GB", "7:9 bad-size: size must be a size such as 512MiB or 4GiB (write 20GiB)"],
  ["image: debian-12\nsize: 0.3MiB", "7:9 bad-size: 0.3MiB is not a whole number of MiB (write 1MiB)"],
  ["image: debian-12\nsize: 0GiB", "7:9 bad-size: a size of nothing (at least 1MiB)"],
  ["image: debian-12", "6:10 missing-field: disk root has no size (add its size: at least the image's)"],
  ["node: n1\nimage: debian-12", '6:3 unknown-field: unknown field "node" (write placement: { node: NAME })'],
  [
    "image: /srv/images/debian.qcow2\nsize: 1GiB",
    "6:10 bad-name: image must be a name of lower-case letters, digits and dashes (give the name of an Image: its manifest has the path; to use the bytes themselves, and not an overlay: source: file:///PATH)",
  ],
  ["image: debain-12\nsize: 1GiB", '6:10 unknown-reference: there is no Image debain-12 (did you mean "debian-12"?)'],
  ["profile: smal\nsize: 1GiB", '6:12 unknown-reference: there is no Profile smal (did you mean "small"?)'],
  [
    "size: 1GiB\nnics:\n  - { name: eth0, network: frnt }",
    '8:30 unknown-reference: there is no Network frnt (did you mean "front"?)',
  ],
  ["size: 1GiB\ngroup: wbe", '7:10 unknown-reference: there is no Group wbe (did you mean "web"?)'],
  ["size: 1GiB\nplacement: { node: n3 }", '7:22 unknown-reference: there is no Node n3 (did you mean "n1"?)'],
  ["size: 1GiB\nplacement: { nodes: [n1, n9] }", '7:28 unknown-reference: there is no Node n9 (did you mean "n1"?)'],
  [
    "size: 1GiB\nplacement: { node: n1, nodes: [n2] }",
    "7:33 conflicting-fields: placement has both node and nodes (keep one of them; null takes away what a profile says)",
  ],
  [
    "size: 1GiB\nplacement: { selector: { ssd: 'no' } }",
    "7:26 impossible-placement: no node has all these labels (compare with metadata.labels of the nodes)",
  ],
  [
    "size: 1GiB\nplacement: { node: n2, selector: { ssd: 'true' } }",
    "7:36 impossible-placement: none of n2 has all these labels (compare with metadata.labels of the nodes)",
  ],
  [
    "size: 1GiB\nplacement: { antiAffinity: [{ match: { a: b }, per: rack }] }",
    "7:55 unknown-reference: no node has a label of this name (compare with metadata.labels of the nodes)",
  ],
  [
    "size: 1GiB\nplacement: { antiAffinity: [{ match: { a: b }, weight: 3 }] }",
    "7:58 conflicting-fields: a rule that is required has no weight (leave it out, or make it a wish: required: false)",
  ],
  [
    "size: 1GiB\nplacement: { affinity: [{ per: node }] }",
    "7:27 missing-field: a rule needs match or matchExpressions (match: { app: web } means those who have this label)",
  ],
  [
    "size: 1GiB\nplacement: { nodeAffinity: [{ matchExpressions: [{ key: a, operator: In }] }] }",
    "7:72 conflicting-fields: In needs values (such as values: [gold, silver])",
  ],
  [
    "size: 1GiB\nplacement: { nodeAffinity: [{ matchExpressions: [{ key: a, operator: Exists, values: [b] }], required: false }] }",
    "7:72 conflicting-fields: Exists has no values (leave them out, or In)",
  ],
  [
    "size: 1GiB\nplacement: { nodeAffinity: [{ matchExpressions: [{ key: a, operator: Gt, values: [much] }], required: false }] }",
    '7:72 conflicting-fields: Gt needs one whole number (such as values: ["8"])',
  ],
  [
    "size: 1GiB\nplacement: { nodeAffinity: [{ matchExpressions: [{ key: a, operator: Like, values: [b] }], required: false }] }",
    "7:72 bad-value: placement.nodeAffinity[0].matchExpressions[0].operator must be one of: In, NotIn, Exists, DoesNotExist, Gt, Lt",
  ],
  [
    "size: 1GiB\nplacement: { antiAffinity: [{ match: { a: b }, matchExpressions: [{ key: a, operator: NotIn, values: [b] }] }] }",
    "7:69 conflicting-fields: no value of a is all that is asked of it here (everything in match and matchExpressions must hold: remove one of them)",
  ],
  [
    "size: 1GiB\nplacement: { nodeAffinity: [{ match: { ssd: 'true', disks: '9' } }] }",
    "7:31 impossible-placement: no node has labels like that (compare with metadata.labels of the nodes)",
  ],
  [
    "size: 1GiB\nplacement: { spread: [{ match: { app: web } }] }",
    "7:25 conflicting-fields: this VM has not the labels of those that it is to be spread with (a spread counts those it matches, and this VM must be one of them)",
  ],
  [
    "size: 1GiB\ncpus: { count: 4, max: 2 }",
    "7:26 conflicting-fields: cpus.max is 2, less than cpus.count, 4 (at least 4, or leave it out)",
  ],
  [
    "size: 1GiB\nmemory:\n  size: 2GiB\n  max: 1GiB",
    "9:10 conflicting-fields: memory.max is 1024MiB, less than memory.size, 2048MiB (at least 2048MiB, or leave it out)",
  ],
  ["size: 1GiB\ncpus: 0", "7:9 bad-value: cpus must be at least 1"],
  [
    "size: 1GiB\nrunStrategy: always",
    '7:16 bad-value: runStrategy must be one of: Always, RerunOnFailure, Manual, Stopped (did you mean "Always"?)',
  ],
  [
    "size: 1GiB\nprotect: yes",
    "7:12 wrong-type: protect must be true or false, not text (true or false, without quotes)",
  ],
  [
    "size: 1GiB\nshutdownGrace: 90",
    "7:18 wrong-type: shutdownGrace must be a duration such as 90s or 10m, not a number (write a unit: 90s)",
  ],
  ["size: 1GiB\nweights: { cpu: 0 }", "7:19 bad-value: weights.cpu must be at least 1"],
  ["size: 1GiB\nweights: { io: 10001 }", "7:18 bad-value: weights.io must be at most 10000"],
  ["size: 1GiB\nshutdownGrace: 1500ms", "7:18 bad-duration: 1500ms is not a whole number of seconds (write 2s)"],
  [
    "size: 1GiB\nready: { serial: 'login:', tcp: 22 }",
    "7:35 conflicting-fields: ready has both serial and tcp (keep one of them; null takes away what a profile says)",
  ],
  ["size: 1GiB\nready: { timeout: 5s }", "7:10 missing-field: ready does not say what to wait for (add serial or tcp)"],
  [
    "runStrategy: Always",
    "4:9 nothing-to-boot: this VM has neither a disk nor a kernel to boot (add image and size, or boot.kernel (builtin:tiny is the guest that odorobo brings along))",
  ],
  [
    "size: 1GiB\nboot: { kernel: /k, cmdline: 5 }",
    "7:32 wrong-type: boot.cmdline must be text, not a number (write it in quotes)",
  ],
  [
    "size: 1GiB\ngroup: 5",
    '7:10 wrong-type: group must be a name of lower-case letters, digits and dashes, not a number (write it in quotes: "5")',
  ],
  [
    "size: 1GiB\nready: { tcp: 22 }",
    "7:17 conflicting-fields: ready.tcp needs an address to connect to, and no NIC on a bridge has one (give a bridged NIC an address, or wait for a text on the serial line: ready.serial)",
  ],
  [
    "size: 1GiB\ncloudHypervisor: { pmem: [{ file: 5 }] }",
    "7:37 bad-value: pmem[0].file is 5 and must be a text (write a text)",
  ],
  ["size: 1GiB\nretain: 5", "7:11 wrong-type: retain must be a map, not a number"],
  [
    "size: 1GiB\nprotect: '5'",
    "7:12 wrong-type: protect must be true or false, not text (true or false, without quotes)",
  ],
  [
    "size: 1GiB\ncpus: '5'",
    "7:9 wrong-type: cpus must be a whole number or a map, not text (write the number without quotes)",
  ],
  ["size: 1GiB\nprofile: enormous", "7:12 unknown-reference: there is no Profile enormous (one of: small)"],
  [
    "size: 1GiB\nwindows: [{ from: 02:00, until: 03:00, timezone: Europe/Berlim }]",
    "7:52 bad-value: there is no time zone Europe/Berlim (Europe/Berlin?)",
  ],
  [
    "size: 1GiB\nboot: { firmware: default, kernel: /vmlinuz }",
    "7:21 conflicting-fields: boot has both kernel and firmware (keep one of them; null takes away what a profile says)",
  ],
  [
    "size: 1GiB\nboot: { cmdline: quiet }",
    "7:20 conflicting-fields: boot.cmdline is for a kernel, and there is none (add boot.kernel)",
  ],
  [
    "disks:\n  - { name: root, image: debian-12, size: 1GiB, source: 'nbd://x/y' }",
    "7:28 conflicting-fields: disk root has both source and image (a source is someone else's disk, as it is: remove one of them (image: null takes away what a profile says))",
  ],
  [
    "disks:\n  - { name: root, source: 'iscsi://user%25hunter2@host/target/1' }",
    "7:29 bad-value: the source of disk root has a name or password in it, and plans, logs and process lists would show it (give the host alone, and the credentials to the node: for iSCSI and Ceph in their own configuration)",
  ],
  [
    "disks:\n  - { name: root }",
    "7:7 missing-field: disk root says neither image, size nor source (a size alone makes a blank disk)",
  ],
  [
    "disks:\n  - { name: a, size: 1GiB }\n  - { name: a, size: 2GiB }",
    "8:15 duplicate-name: there are two disks named a (give one another name)",
  ],
  [
    "size: 1GiB\nimage: debian-12\ndisks: [{ name: root, readonly: true }]",
    "7:10 conflicting-fields: the disk root is written twice: in disks, and as image and size of the spec (write its image and size in the list)",
  ],
  [
    "size: 1GiB\ndisks: [{ name: data, size: 1GiB }, { name: root, size: 2GiB }]",
    "6:9 conflicting-fields: the disk root is written twice: in disks, and as image and size of the spec (write its image and size in the list)",
  ],
  [
    "size: 1GiB\nnics: [{ name: a, mac: '01:00:00:00:00:01' }]",
    "7:26 bad-value: nics[0].mac must be a unicast MAC address",
  ],
  [
    "size: 1GiB\nnics: [{ name: a, address: 10.0.0.300/24 }]",
    "7:30 bad-value: 10.0.0.300/24 is not an address with a prefix length (such as 10.0.0.11/24)",
  ],
  [
    "size: 1GiB\nignore: [/spec/cpus/cuont]",
    "7:12 no-effect: /spec/cpus/cuont is not a field that can be ignored (did you mean /spec/cpus/count?)",
  ],
  [
    "size: 1GiB\nignore: [/spec/boot/cmdline]",
    "7:12 no-effect: /spec/boot/cmdline is not a field that can be ignored (the whole of /spec/boot can be)",
  ],
  [
    "size: 1GiB\nqemu: { cpu: host }",
    "7:9 no-effect: qemu has no effect: this VM runs on cloud-hypervisor (remove it, or set hypervisor: qemu)",
  ],
  [
    "size: 1GiB\ncloudInit: { userData: ./none.yaml }",
    "7:26 file-not-found: there is no file none.yaml (paths begin at this manifest's folder)",
  ],
  [
    "size: 1GiB\ncloudInit: { userData: ../../etc/passwd }",
    "7:26 file-not-found: ../../etc/passwd leads out of the manifests' folder (keep the file beside the manifests)",
  ],
  [
    "size: 1GiB\ncloudInit: { userData: user-data.yaml }",
    "7:26 bad-value: this is neither a text for cloud-init nor the path of one (a path begins with ./ and a text with #cloud-config)",
  ],
];

test.each(MISTAKES)("%s", (spec, said) => {
  expect(mistakesIn({ "shared.yaml": shared, "web.yaml": aVm("web-1", spec) })[0]).toBe(`web.yaml:${said}`);
  // One mistake is told once, not again as all that follows from it.
  expect(mistakesIn({ "shared.yaml": shared, "web.yaml": aVm("web-1", spec) }).length).toBeLessThanOrEqual(
    spec.includes("source: 'nbd") ? 2 : 1,
  );
});

test("all mistakes of all files at once, by file and line", () => {
  const files = {
    "b.yaml": aVm("b", "cpu: 1\nmemory: 1\nsize: 1GiB"),
    "a.yaml": `${aVm("a", "size: 1GiB\nprofile: none")}---\n${API}\nkind: Virtualmachine\nmetadata: { name: x }\n`,
  };
  const places = read(files).diagnostics.map(({ file, line, code }) => `${file}:${line} ${code}`);
  // What refers to nothing may mean the document of unknown kind: not told until that one can be read.
  expect(places).toEqual(["a.yaml:10 unknown-kind", "b.yaml:6 unknown-field", "b.yaml:7 wrong-type"]);
});

test("duplicate names tell the other place", () => {
  expect(mistakesIn({ "a.yaml": aVm("web"), "b.yaml": `# moved\n${aVm("web")}` })).toEqual([
    "b.yaml:5:9 duplicate-name: there is another VirtualMachine named web (the first one is in a.yaml:4)",
  ]);
  expect(mistakesIn({ "a.yaml": aNode("n1"), "b.yaml": aNode("n2").replace("//n2", "//n1") })).toEqual([
    "b.yaml:6:12 duplicate-address: node n1 has this address too (it is in a.yaml:4; two nodes are two agents)",
  ]);
  const inMaintenance = (window: string) =>
    mistakesIn({ "n.yaml": aDocument("Node", "n1", `address: http://n1:8890\nmaintenance: ${window}`) });
  expect(inMaintenance("{ from: 2026-02-31T00:00:00Z }")).toEqual([
    "n.yaml:7:24 bad-value: there is no such time: 2026-02-31T00:00:00Z (such as 2026-12-01T22:00:00Z)",
  ]);
  expect(inMaintenance("{ from: 2026-02-01T00:00:00Z, until: 2026-02-01T01:00:00+01:00 }")).toEqual([
    "n.yaml:7:53 conflicting-fields: this maintenance ends before it begins (until comes after from)",
  ]);
  expect(inMaintenance("{ until: tomorrow }")).toHaveLength(1);
  expect(inMaintenance("{ since: 2026-02-01T00:00:00Z }")).toHaveLength(1);
  const withWindow = (window: string) => mistakesIn({ "g.yaml": aDocument("Group", "g", `windows: [${window}]`) });
  expect(withWindow("{ from: 02:00, until: 04:00, timezone: Europe/Berlim }")).toEqual([
    expect.stringContaining("bad-value: there is no time zone Europe/Berlim (Europe/Berlin?)"),
  ]);
  expect(withWindow("{ from: 2am, until: 04:00 }")).toEqual([
    expect.stringContaining("a time of the day such as 02:00"),
  ]);
  expect(withWindow("{ from: 02:00, to: 04:00 }")).not.toEqual([]);
  expect(withWindow("{ days: [sunday], from: 02:00, until: 04:00 }")).toEqual([expect.stringContaining("sun")]);
  expect(mistakesIn({ "z.yaml": aDocument("Fleet", "other") })).toEqual([
    "z.yaml:2:7 duplicate-name: there is more than one Fleet (the first one is in _fleet.yaml:4; one repository is one fleet: give the folder of one of them)",
  ]);
  const twice = `${aDocument("Fleet", "test")}---\n${aVm("web")}`;
  expect(mistakesIn({ "a/all.yaml": twice, "b/all.yaml": twice }).filter((each) => !each.includes("Fleet"))).toEqual(
    [],
  );
});

test("a circle of profiles names the circle, once", () => {
  const profiles = [
    ["a", "b"],
    ["b", "c"],
    ["c", "a"],
    ["d", "a"],
  ].map(([name = "", base]) => aDocument("Profile", name, `base: ${base}`));
  expect(mistakesIn({ "p.yaml": profiles.join("---\n"), "v.yaml": aVm("v", "profile: d\nsize: 1GiB") })).toEqual([
    "p.yaml:6:9 profile-cycle: profiles go in a circle: a → b → c → a (remove one of these bases)",
  ]);
});

test("a chain of profiles without end is refused, not followed", () => {
  const chain = Array.from({ length: 5000 }, (_, i) =>
    aDocument("Profile", `p${i}`, i > 0 ? `base: p${i - 1}` : "cpus: 1"),
  );
  const [mistake] = mistakesIn({ "p.yaml": chain.join("---\n"), "v.yaml": aVm("v", "profile: p4999\nsize: 1GiB") });
  expect(mistake).toContain("more than 32 profiles on top of one another");
});

test("as many as can be kept in mind are followed, and what the last of them refers to is told where it is written", () => {
  const chain = (count: number) =>
    Array.from({ length: count }, (_, i) => aDocument("Profile", `p${i}`, `base: ${i > 0 ? `p${i - 1}` : "ghost"}`));
  for (const count of [32, 33])
    expect(
      mistakesIn({ "p.yaml": chain(count).join("---\n"), "v.yaml": aVm("v", `profile: p${count - 1}\nsize: 1GiB`) }),
    ).toEqual([
      expect.stringMatching(/^p\.yaml:6:9 unknown-reference: there is no Profile ghost \(one of: p0, p1, p10, /),
    ]);
});

test("a mistake in a profile is told once, not by each of its VMs", () => {
  const files = {
    "p.yaml": aDocument("Profile", "p", "cpus: { count: 4, max: 2 }\nsize: 1GiB"),
    "v.yaml": ["a", "b", "c"].map((name) => aVm(name, "profile: p")).join("---\n"),
  };
  expect(mistakesIn(files)).toEqual([
    "p.yaml:6:26 conflicting-fields: cpus.max is 2, less than cpus.count, 4 (at least 4, or leave it out)",
  ]);
});

test("one disk for two guests that write to it", () => {
  const vm = (name: string, readonly: boolean) =>
    aVm(name, `disks: [{ name: d, source: "rbd://p/d", readonly: ${readonly} }]`);
  expect(mistakesIn({ "a.yaml": vm("a", true), "b.yaml": vm("b", false) })[0]).toMatch(
    /^b\.yaml:6:30 shared-disk: a's disk d is the same bytes/,
  );
  expect(mistakesIn({ "a.yaml": vm("a", true), "b.yaml": vm("b", true) })).toEqual([]);
});

test.each([
  ["nbd://127.0.0.1:4000/vol", "nbd://127.0.0.1:4000/vol/"],
  ["nbd://san/vol", "nbd://SAN:10809//v%6fl"],
  ["file:///srv/a%23b", "file:///srv//x/../a#b"],
  ["iscsi://[fd00::1]/iqn.x:y", "iscsi://[FD00:0::1]:3260/IQN.x:y/0"],
])("one disk in two spellings: %s and %s", (one, other) => {
  const vm = (name: string, source: string) => aVm(name, `disks: [{ name: d, source: "${source}" }]`);
  expect(mistakesIn({ "a.yaml": vm("a", one), "b.yaml": vm("b", other) })[0]).toMatch(
    /^b\.yaml:6:30 shared-disk: a's disk d/,
  );
});

test("a disk twice in one VM, an image that is written to, a disk that only the hypervisor is told of", () => {
  const twice = aVm("a", 'disks: [{ name: d, source: "rbd://p/d" }, { name: e, source: "rbd://p//d" }]');
  expect(mistakesIn({ "a.yaml": twice })[0]).toMatch(/shared-disk: this VM's disk d is the same bytes/);
  const image = aDocument("Image", "deb", "path: /images/deb.qcow2");
  const onImage = (readonly: boolean) =>
    aVm("a", `disks: [{ name: d, source: "file:///images/./deb.qcow2", readonly: ${readonly} }]`);
  expect(mistakesIn({ "i.yaml": image, "a.yaml": onImage(false) })[0]).toMatch(/shared-disk: disk d is the Image deb:/);
  expect(mistakesIn({ "i.yaml": image, "a.yaml": onImage(true) })).toEqual([]);
  const section = aVm("a", "size: 1GiB\ncloudHypervisor: { disks: [{ id: x, path: /srv/d.raw, image_type: Raw }] }");
  const file = aVm("b", 'disks: [{ name: d, source: "file:///srv/d.raw" }]');
  expect(mistakesIn({ "a.yaml": section, "b.yaml": file })[0]).toMatch(/shared-disk: a's disk x of cloudHypervisor/);
});

test("a device of one node is one guest's, in whatever spelling; of VMs that may live apart nothing is known", () => {
  const vm = (name: string, device: string, more = "") =>
    aVm(name, `size: 1GiB\ncloudHypervisor: { devices: [{ id: gpu, path: ${device} }] }${more}`);
  const [one, other] = ["/sys/bus/pci/devices/0000:01:00.0/", "/sys/bus/pci/devices/0000:01:00.0"];
  const on = "\nplacement: { node: n1 }";
  const both = { "n.yaml": aNode("n1"), "a.yaml": vm("a", one, on), "b.yaml": vm("b", other, on) };
  expect(mistakesIn(both)[0]).toMatch(/^b\.yaml:7:\d+ shared-disk: a has the device 0000:01:00.0 already/);
  expect(mistakesIn({ "a.yaml": vm("a", one), "b.yaml": vm("b", other) })).toEqual([]);
  const either = "\nplacement: { nodes: [n1, n2] }";
  const nodes = { "n.yaml": [aNode("n1"), aNode("n2")].join("---\n") };
  expect(mistakesIn({ ...nodes, "a.yaml": vm("a", one, either), "b.yaml": vm("b", other, either) })).toEqual([]);
  const twice = aVm(
    "a",
    `size: 1GiB\ncloudHypervisor: { devices: [{ id: x, path: ${one} }, { id: y, path: ${other} }] }${either}`,
  );
  expect(mistakesIn({ ...nodes, "a.yaml": twice })[0]).toMatch(/shared-disk: this VM has the device 0000:01:00.0/);
});

test("what is wrong with one disk says nothing against the others: those are still looked at", () => {
  const disk = (name: string, rest: string) => `{ name: ${name}, ${rest} }`;
  const half = aVm("a", `disks: [${disk("X", "size: 1GiB")}, ${disk("d", 'source: "rbd://p/d"')}]`);
  const whole = aVm("b", `disks: [${disk("d", 'source: "rbd://p/d"')}]`);
  expect(mistakesIn({ "a.yaml": half, "b.yaml": whole })).toEqual([
    expect.stringMatching(/^a\.yaml:6:19 bad-name/),
    expect.stringMatching(/^b\.yaml:6:30 shared-disk: a's disk d is the same bytes/),
  ]);
});

test.each([
  // What has no name goes by its place, which would be another's without it.
  ["disks: [{ size: 1GiB }, { name: d, source: 'rbd://p/d' }]", ["a.yaml:6:11 missing-field"]],
  ["size: 1GiB\nplacement: { nodes: [5, n9] }", ["a.yaml:7:24 wrong-type"]],
  ["disks: [null, { name: d, size: 1GiB }]", ["a.yaml:6:11 wrong-type"]],
])("a list with one that is not what it should be is told for that, and not looked at further: %s", (spec, said) => {
  const other = aVm("b", "disks: [{ name: d, source: 'rbd://p/d' }]");
  const told = mistakesIn({ "a.yaml": aVm("a", spec), "b.yaml": other });
  expect(told.map((each) => each.slice(0, each.indexOf(":", each.indexOf(" "))))).toEqual(said);
});

test("two ways of writing one disk in two layers are told where each is", () => {
  const files = {
    "i.yaml": aDocument("Image", "deb", "path: /images/deb.qcow2"),
    "p.yaml": aDocument("Profile", "p", "image: deb\nsize: 1GiB"),
    "v.yaml": aVm("v", "profile: p\ndisks: [{ name: root, source: 'nbd://x/y' }]"),
  };
  expect(mistakesIn(files)).toEqual([
    expect.stringMatching(/^p\.yaml:6:10 conflicting-fields: disk root has both source and image/),
    expect.stringMatching(/^p\.yaml:7:9 conflicting-fields: disk root has both source and size/),
  ]);
});

test("arguments of QEMU that odorobo says itself are refused, with the field that means it where there is one", () => {
  const of = (args: string) =>
    mistakesIn({ "a.yaml": aVm("a", `hypervisor: qemu\nsize: 1GiB\nqemu: { args: ${args} }`) });
  const said = (text: string) => `bad-value: qemu.args may not contain ${text}`;
  expect(of("[-m, 4G]")).toEqual([
    `a.yaml:8:18 ${said("-m: odorobo sets that itself (write memory.size and memory.max)")}`,
  ]);
  expect(of("[--smp, '2']")).toEqual([
    `a.yaml:8:18 ${said("--smp: odorobo sets that itself (write cpus.count and cpus.max)")}`,
  ]);
  expect(of("[-vnc, none, -qmp, stdio]")).toEqual([
    `a.yaml:8:30 ${said("-qmp: odorobo sets that itself (remove it from the manifest)")}`,
  ]);
  expect(of("[-device, smp]")).toEqual([]);
});

test("a word that is near no other gets no suggestion", () => {
  expect(mistakesIn({ "a.yaml": aVm("a", "size: 1GiB\nhypervisor: xen") })).toEqual([
    "a.yaml:7:15 bad-value: hypervisor must be one of: cloud-hypervisor, qemu, propolis, noop",
  ]);
});

test("the short form of a disk is found where it is written, and nowhere else", () => {
  const files = {
    "i.yaml": aDocument("Image", "deb", "path: /images/deb.qcow2"),
    "p.yaml": aDocument("Profile", "p", "image: deb"),
    "v.yaml": aVm("v", "cpus: 2\nprofile: p"),
  };
  expect(mistakesIn(files)).toEqual([
    "p.yaml:6:10 missing-field: disk root has no size (add its size: at least the image's)",
  ]);
});

test("a field that the qemu section has not is named when it is a word, and not when it may be anything", () => {
  const of = (key: string) => mistakesIn({ "a.yaml": aVm("a", `hypervisor: qemu\nsize: 1GiB\nqemu: { ${key}: x }`) });
  expect(of("vnc")[0]).toMatch(/bad-value: the qemu section has no field vnc \(/);
  expect(of("shutdownGrace")[0]).toMatch(/the qemu section has no field shutdownGrace \(/);
  expect(of('"hunter2 is it"')[0]).toMatch(/the qemu section has no such field \(/);
  expect(of("args")[0]).toMatch(/qemu.args must be a list of texts/);
});

test.each([
  ["file:///a%zz", "has a % that is followed by no byte of a text (a % of a name is written %25)"],
  ["rbd://pool", "names no image of a pool (write rbd://POOL[/NAMESPACE]/IMAGE[@SNAPSHOT])"],
  ["nbd://h/x?tls=1", "has options behind its ?, and none are passed on (leave them out; a ? in a name is %3F)"],
])("the source %s is told where it is written", (source, said) => {
  expect(mistakesIn({ "a.yaml": aVm("a", `disks: [{ name: d, source: "${source}" }]`) })).toEqual([
    `a.yaml:6:30 bad-value: the source of disk d ${said}`,
  ]);
});

test("an image, or a bridge, that does not say what it is", () => {
  const shared = (kind: string, spec: string) => mistakesIn({ "s.yaml": aDocument(kind, "s", spec) });
  expect(shared("Image", "path: /images/deb.img")).toEqual([
    "s.yaml:6:9 missing-field: the path's ending does not say the image's format (add format: qcow2 or raw)",
  ]);
  expect(shared("Image", "path: /images/deb.img\nformat: raw")).toEqual([]);
  expect(shared("Image", "path: /images/deb.raw")).toEqual([]);
  expect(shared("Network", "type: bridge")).toEqual([
    "s.yaml:6:9 missing-field: which bridge? (add bridge: the interface's name on the nodes)",
  ]);
  expect(shared("Network", "type: user\nbridge: br0")).toEqual([
    "s.yaml:7:11 conflicting-fields: a network of type user has no bridge (type: bridge?)",
  ]);
  expect(shared("Network", "type: user")).toEqual([]);
});

test("pmem is bytes as disks are", () => {
  const vm = (name: string, more: string) =>
    aVm(name, `size: 1GiB\nmemory: 1GiB\ncloudHypervisor: { pmem: [{ file: /srv/p.raw${more} }] }`);
  expect(mistakesIn({ "a.yaml": vm("a", ""), "b.yaml": vm("b", ", id: p") })).toEqual([
    expect.stringMatching(/^b\.yaml:8:\d+ shared-disk: a's pmem 0 is the same bytes/),
  ]);
  expect(mistakesIn({ "a.yaml": vm("a", ", id: q"), "b.yaml": vm("b", "") })).toEqual([
    expect.stringMatching(/shared-disk: a's pmem q is the same bytes/),
  ]);
  const both = ", discard_writes: true";
  expect(mistakesIn({ "a.yaml": vm("a", both), "b.yaml": vm("b", both) })).toEqual([]);
});

test("MAC and IP addresses are given once", () => {
  const vm = (name: string, nic: string) => aVm(name, `size: 1GiB\nnics: [{ name: eth0, ${nic} }]`);
  expect(
    mistakesIn({ "a.yaml": vm("a", "mac: '02:00:00:00:00:AA'"), "b.yaml": vm("b", "mac: '02:00:00:00:00:aa'") }),
  ).toEqual(["b.yaml:7:29 duplicate-mac: a's eth0 has this MAC address too (leave mac out: a unique one is derived)"]);
  expect(mistakesIn({ "a.yaml": vm("a", "address: 10.0.0.1/24"), "b.yaml": vm("b", "address: 10.0.0.1/16") })).toEqual([
    "b.yaml:7:33 duplicate-address: a has this address on network default too (give each its own)",
  ]);
  const six = (name: string, address: string) => vm(name, `address: "${address}"`);
  expect(mistakesIn({ "a.yaml": six("a", "fd00::1/64"), "b.yaml": six("b", "FD00:0:0::01/64") })[0]).toMatch(
    /^b\.yaml:7:33 duplicate-address/,
  );
});

test("what is not a manifest is named, and broken YAML does not hide the rest", () => {
  expect(mistakesIn({ "compose.yaml": "services: {}\n" })).toEqual([
    expect.stringMatching(/^compose\.yaml:1:1 not-a-manifest: this document is not an odorobo manifest \(.*hidden/),
  ]);
  expect(mistakesIn({ "a.yaml": `${aVm("a")}---\nfoo: [1\n`, "b.yaml": aVm("b", "cpu: 1\nsize: 1GiB") })).toEqual([
    expect.stringMatching(/^a\.yaml:9:1 yaml-syntax/),
    expect.stringMatching(/^b\.yaml:6:3 unknown-field/),
  ]);
  expect(mistakesIn({ "a.yaml": aVm("a").replace("/v1", "/v2") })).toEqual([
    'a.yaml:1:13 unknown-version: this odorobo does not read odorobo.dev/v2 (did you mean "odorobo.dev/v1"?)',
  ]);
});

test("a repository must say which fleet it is", () => {
  const { desired, diagnostics } = read({ "_fleet.yaml": "", "a.yaml": aVm("a") });
  expect(desired).toBeNull();
  expect(diagnostics.map(({ code }) => code)).toEqual(["missing-fleet"]);
});

test("names that are no names", () => {
  expect(mistakesIn({ "a.yaml": aVm("Web_1") })).toEqual([
    'a.yaml:4:9 bad-name: metadata.name must be a name of lower-case letters, digits and dashes (without capitals and "_")',
  ]);
  expect(mistakesIn({ "a.yaml": aVm("x".repeat(64)) })[0]).toContain("at most 63 characters");
  expect(mistakesIn({ "a.yaml": aVm("1234") })[0]).toContain('write it in quotes: "1234"');
});

describe("keys that reach nobody are a warning", () => {
  const said = (userData: string): string[] => {
    const text = userData
      .split("\n")
      .map((line) => `    ${line}`)
      .join("\n");
    const spec = `profile: small\nimage: debian-12\nsize: 1GiB\ncloudInit:\n  sshKeys: [ssh-ed25519 AAAA me]\n  userData: |\n${text}`;
    const { diagnostics } = read({ "web.yaml": aVm("web", spec), "shared.yaml": shared });
    return diagnostics.map(
      ({ severity, line, column, code, message }) => `${severity} ${line}:${column} ${code}: ${message}`,
    );
  };
  const LIST =
    "warning 10:14 no-effect: these keys reach nobody: the user data has a list of users, and default is not in it";

  test.each([
    ["a list of users without default", "#cloud-config\nusers:\n  - name: admin\npackages: [default]", LIST],
    ["no users at all", "#cloud-config\nusers: []", LIST],
    ["default only in a comment", "#cloud-config\nusers:\n- name: admin # not default", LIST],
    ["default only in a comment of its own", "#cloud-config\nusers:\n# default\n- name: admin", LIST],
    ["a user that is none of cloud-init's", "#cloud-config\nx:\n  user: me\nusers:\n- name: admin", LIST],
    ["behind a template's mark", "## template: jinja\n#cloud-config\nusers:\n  - name: admin", LIST],
    [
      "keys refused",
      "#cloud-config\nallow_public_ssh_keys: false",
      "warning 10:14 no-effect: these keys reach nobody: the user data says allow_public_ssh_keys: false",
    ],
    [
      "somebody else's format",
      '{\n  "ignition": {} }',
      "warning 10:14 no-effect: these keys reach nobody: the user data is none that cloud-init knows",
      "warning 11:15 no-effect: cloud-init does not know what this is, and does nothing with it",
    ],
  ])("%s", (_, text, ...warnings) => {
    expect(said(text)).toEqual(warnings);
  });

  test.each([
    ["default among the users", "#cloud-config\nusers:\n  - default\n  - name: admin"],
    ["default in a row", "#cloud-config\nusers: [default, {name: admin}]"],
    ["the default user under another name", "#cloud-config\nuser: me\nusers:\n  - name: admin"],
    ["no word of users", "#cloud-config\npackages: [nginx]"],
    ["a script", "#!/bin/sh\ntrue"],
    ["users of somebody else's", "#cloud-config\nx: &u [default]\nusers: *u"],
  ])("not with %s", (_, text) => {
    expect(said(text)).toEqual([]);
  });
});
