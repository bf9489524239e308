/** What manifests mean: defaults, short forms, profiles, files, addresses. */
import { expect, test } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { DEFAULT_GATEWAY_POLICY } from "../../src/model/desired-state.ts";
import { digestOfText } from "../../src/model/digest.ts";
import {
  aDocument,
  aFleetDocument,
  aNode,
  aVm,
  mistakesIn,
  read,
  readWell,
  textsOf,
  vmOf,
} from "../support/manifest-texts.ts";

const IMAGE = aDocument("Image", "debian-12", "path: /images/debian.qcow2");

test("name, image, size, and it runs", () => {
  const desired = readWell({ "i.yaml": IMAGE, "v.yaml": aVm("web", "image: debian-12\nsize: 20GiB") });
  expect(vmOf(desired, "web").spec).toEqual({
    hypervisor: "cloud-hypervisor",
    runStrategy: "Always",
    labels: {},
    annotations: {},
    cpus: { count: 1, max: 1 },
    memory: { sizeMiB: 1024, maxMiB: 1024 },
    boot: { kind: "firmware", firmware: "default" },
    disks: [
      {
        name: "root",
        readonly: false,
        origin: { kind: "image", image: "debian-12", path: "/images/debian.qcow2", format: "qcow2", sizeMiB: 20_480 },
      },
    ],
    nics: [],
    cloudInit: null,
    ready: null,
    migration: { mode: "live", downtimeMs: 300, timeoutSeconds: 600 },
    onDrain: "migrate",
    group: null,
    protect: false,
    retainDisksSeconds: 604_800,
    shutdownGraceSeconds: 90,
    weights: { cpu: null, io: null },
    passthrough: {},
  });
});

test("everything that can be said arrives in the spec", () => {
  const spec = `hypervisor: qemu
runStrategy: Manual
placement:
  nodes: [n2, n1]
  selector: { b: x, a: y }
  antiAffinity: [{ match: { app: web } }]
  affinity: [{ match: { app: db }, per: rack, required: false, weight: 5 }]
  nodeAffinity:
    - { match: { a: y }, matchExpressions: [{ key: cores, operator: Gt, values: ["8"] }] }
    - { matchExpressions: [{ key: tier, operator: NotIn, values: [old, bad] }], required: false }
  spread:
    - { match: { app: web }, per: rack, maxSkew: 2 }
    - { matchExpressions: [{ key: app, operator: Exists }], required: false, weight: 3 }
cpus: 3
memory: { size: 2G, max: 1.5TiB }
boot: { kernel: /vmlinuz, initramfs: /initrd, cmdline: quiet }
disks:
  - { name: data, size: 1048576KiB }
  - { name: ext, source: "nbd://h/x", readonly: true }
nics: [{ name: eth0, network: front, mac: "02:AB:00:00:00:01", address: FD00::1/64 }]
cloudInit: { sshKeys: [ssh-ed25519 AAAA me], userData: "#cloud-config" }
ready: { tcp: 22, timeout: 1m30s }
migration: { mode: cold, downtime: 1s, timeout: 1h }
onDrain: block
group: web
protect: true
ignore: [/spec/cpus, /spec/qemu, /spec/disks/data]
retain: { disks: 0s }
shutdownGrace: 5m
weights: { cpu: 200, io: 50 }
qemu: { args: [-vnc, none] }
cloudHypervisor: null`;
  const files = {
    "n.yaml": [
      aNode("n1", "{ a: 'y', b: x, rack: r, cores: '16' }"),
      aNode("n2"),
      aDocument("Group", "web"),
      aDocument("Network", "front", "type: bridge\nbridge: br0"),
    ].join("---\n"),
    "v.yaml": aVm("v", spec, "labels: { z: '1', app: web }\nannotations: { note: hi }"),
  };
  const vm = vmOf(readWell(files), "v");
  expect(vm.placement).toEqual({
    nodes: ["n1", "n2"],
    selector: { a: "y", b: "x" },
    nodeAffinity: [
      { match: { a: "y" }, expressions: [{ key: "cores", operator: "Gt", values: ["8"] }], required: true },
      { match: {}, expressions: [{ key: "tier", operator: "NotIn", values: ["bad", "old"] }], required: false },
    ],
    affinity: [{ match: { app: "db" }, per: "rack", required: false, weight: 5 }],
    antiAffinity: [{ match: { app: "web" }, per: "node", required: true }],
    spread: [
      { match: { app: "web" }, per: "rack", maxSkew: 2, required: true },
      {
        match: {},
        expressions: [{ key: "app", operator: "Exists", values: [] }],
        ...{ per: "node", maxSkew: 1, required: false, weight: 3 },
      },
    ],
  });
  expect(vm.ignore).toEqual(["/spec/cpus", "/spec/passthrough", "/spec/disks/data"]);
  expect(vm.spec).toEqual({
    hypervisor: "qemu",
    runStrategy: "Manual",
    labels: { app: "web", z: "1" },
    annotations: { note: "hi" },
    cpus: { count: 3, max: 3 },
    memory: { sizeMiB: 2048, maxMiB: 1_572_864 },
    boot: { kind: "kernel", kernel: "/vmlinuz", initramfs: "/initrd", cmdline: "quiet" },
    disks: [
      { name: "data", origin: { kind: "blank", sizeMiB: 1024 }, readonly: false },
      { name: "ext", origin: { kind: "external", url: "nbd://h/x" }, readonly: true },
    ],
    nics: [
      {
        name: "eth0",
        network: "front",
        attachment: { kind: "bridge", bridge: "br0" },
        mac: "02:ab:00:00:00:01",
        address: "fd00::1/64",
      },
    ],
    cloudInit: { userData: digestOfText("#cloud-config"), networkConfig: null, sshKeys: ["ssh-ed25519 AAAA me"] },
    ready: { kind: "tcp", port: 22, timeoutSeconds: 90 },
    migration: { mode: "cold", downtimeMs: 1000, timeoutSeconds: 3600 },
    onDrain: "block",
    group: "web",
    protect: true,
    retainDisksSeconds: 0,
    shutdownGraceSeconds: 300,
    weights: { cpu: 200, io: 50 },
    passthrough: { args: ["-vnc", "none"] },
  });
});

test("fleet, nodes and groups", () => {
  const policy = "policy: { maxClass: live, destroyGuard: { count: 1 }, parallelism: { total: 3 } }";
  const node = aDocument(
    "Node",
    "n1",
    "address: https://n1:8890/\nreserved: { cpus: 1.5, memory: 0MiB }\novercommit: { memory: 1.2 }\ncordoned: true\nfenced: true",
  );
  const files = {
    "_fleet.yaml": aFleetDocument(policy),
    "n.yaml": [node, aNode("n0")].join("---\n"),
    "g.yaml": aDocument("Group", "g", "maxUnavailable: 2"),
  };
  const desired = readWell(files);
  expect(desired.fleet).toEqual({
    name: "test",
    policy: { maxClass: "live", destroyGuard: { percent: 10, count: 1 }, parallelism: { total: 3, perNode: 8 } },
  });
  expect(desired.nodes).toEqual([
    expect.objectContaining({
      name: "n0",
      reserved: { cpus: 0, memoryMiB: 512 },
      overcommit: { cpus: 4, memory: 1 },
      cordoned: false,
      fenced: false,
    }),
    {
      name: "n1",
      address: "https://n1:8890",
      labels: {},
      reserved: { cpus: 1.5, memoryMiB: 0 },
      overcommit: { cpus: 4, memory: 1.2 },
      cordoned: true,
      fenced: true,
      maintenance: null,
      source: { file: "n.yaml", line: 4, column: 9 },
    },
  ]);
  expect(desired.groups).toEqual([{ name: "g", maxUnavailable: 2 }]);
});

test("maintenance: a word, a window, or a window without an end; in UTC", () => {
  const node = (name: string, maintenance: string) =>
    aDocument("Node", name, `address: http://${name}:8890\nmaintenance: ${maintenance}`);
  const desired = readWell({
    "_fleet.yaml": aFleetDocument(),
    "n.yaml": [
      node("n1", "true"),
      node("n2", "false"),
      node("n3", "{ from: 2026-12-01T22:00+01:00, until: 2026-12-02T04:00:00Z, reason: new disks }"),
      node("n4", "{ reason: 'it smells' }"),
    ].join("---\n"),
  });
  expect(desired.nodes.map(({ maintenance }) => maintenance)).toEqual([
    { from: null, until: null, reason: null },
    null,
    { from: "2026-12-01T21:00:00.000Z", until: "2026-12-02T04:00:00.000Z", reason: "new disks" },
    { from: null, until: null, reason: "it smells" },
  ]);
});

test("what may be done by itself", () => {
  const gatewayOf = (policy: string) => readWell({ "_fleet.yaml": aFleetDocument(policy) }).fleet.policy.gateway;
  expect(gatewayOf("policy: { gateway: { auto: migrate, approve: [reboot], suspend: true, healDrift: off } }")).toEqual(
    {
      auto: "migrate",
      approve: ["reboot"],
      suspend: true,
      healDrift: "off",
    },
  );
  expect(gatewayOf("policy: { gateway: {} }")).toEqual(DEFAULT_GATEWAY_POLICY);
  const nights = "{ days: [mon, tue], from: 02:00, until: 04:00, timezone: Europe/Berlin }";
  expect(gatewayOf(`policy: { gateway: { windows: [${nights}] } }`)).toEqual({
    ...DEFAULT_GATEWAY_POLICY,
    windows: [
      expect.objectContaining({ days: ["mon", "tue"], from: "02:00", until: "04:00", timezone: "Europe/Berlin" }),
    ],
  });
  for (const none of ["policy: {}", "policy: { gateway: null }"]) expect(gatewayOf(none)).toBe(undefined);
  const futile = (policy: string) =>
    read({ "_fleet.yaml": aFleetDocument(`policy:\n${policy}`) }).diagnostics.map(
      ({ severity, line, column, code, message }) => `${severity} ${line}:${column} ${code}: ${message}`,
    );
  expect(futile("  maxClass: live\n  gateway: { approve: [live, reboot] }")).toContain(
    "warning 8:32 no-effect: reboot is refused whoever approves it: policy.maxClass is live",
  );
  expect(futile("  disruption: { destroy: refuse }\n  gateway: { approve: [destroy] }")).toContain(
    "warning 8:26 no-effect: destroy is refused whoever approves it: policy.disruption refuses it",
  );
  expect(futile("  gateway: { windows: [{ from: 02:00, until: 04:00, timezone: Mars/Olympus }] }")).toEqual([
    expect.stringContaining("error 7:65 bad-value: there is no such time zone"),
  ]);
  expect(futile("  gateway: { approve: [none] }")).toEqual([expect.stringContaining("error 7:26 bad-value")]);
});

test("windows and what the policy says of disruption, each with its place", () => {
  const window = "{ days: [sun, sat], from: 02:00, until: 04:00, timezone: Europe/Berlin }";
  const texts = {
    "_fleet.yaml": aDocument("Fleet", "test", `policy:\n  disruption: { reboot: window }\n  windows: [${window}]`),
    "n.yaml": aDocument("Node", "n1", `address: http://n1:8890\nwindows: [{ from: 22:00, until: 02:00 }]`),
    "g.yaml": aDocument("Group", "g", `windows: [${window}]`),
    "p.yaml": aDocument("Profile", "p", `windows: [${window}]`),
    "a.yaml": aVm("a", "size: 1GiB\nprofile: p"),
    "b.yaml": aVm("b", "size: 1GiB\nprofile: p\nwindows: null"),
  };
  const desired = readWell(texts);
  const expected = { days: ["sun", "sat"], from: "02:00", until: "04:00", timezone: "Europe/Berlin" };
  expect(desired.fleet.policy.disruption).toEqual({
    reboot: { says: "window", source: { file: "_fleet.yaml", line: 7, column: 27 } },
  });
  expect(desired.fleet.policy.windows).toEqual([{ ...expected, source: { file: "_fleet.yaml", line: 8, column: 15 } }]);
  expect(desired.groups[0]?.windows).toMatchObject([expected]);
  expect(desired.nodes[0]?.windows).toMatchObject([
    { days: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"], from: "22:00", until: "02:00", timezone: "UTC" },
  ]);
  expect(desired.vms.map(({ windows }) => windows)).toEqual([[{ ...expected, source: null }], undefined]);
  expect(desired.vms[0]?.whereIs("/spec/windows")).toMatchObject({ file: "p.yaml" });
  // Where it is written is no part of what it says.
  expect(readWell({ ...texts, "_fleet.yaml": `# moved\n${texts["_fleet.yaml"]}` }).digest).toBe(desired.digest);
  expect(readWell({ ...texts, "g.yaml": aDocument("Group", "g") }).digest).not.toBe(desired.digest);
});

test("profiles merge: maps deeply, disks and nics by name, other lists replace, null removes", () => {
  const base = aDocument(
    "Profile",
    "base",
    "cpus: 2\nmemory: { size: 1GiB, max: 4GiB }\ndisks: [{ name: data, size: 1GiB }]\ngroup: g\ncloudInit: { sshKeys: [ssh-rsa A a] }\nqemu: { args: [-vnc, none] }",
  );
  const web = aDocument(
    "Profile",
    "web",
    "base: base\nnics: [{ name: eth0 }]\ncloudInit: { userData: './u' }\nqemu: { args: [-no-hpet] }",
  );
  const spec =
    "profile: web\nmemory: 2GiB\nimage: debian-12\nsize: 3GiB\ndisks: [{ name: data, readonly: true }]\nnics: [{ name: eth1 }, { name: eth0, address: 10.0.0.1/8 }]\ngroup: null\ncpus: { max: 4 }";
  const desired = readWell({
    "_fleet.yaml": aFleetDocument("defaults: { hypervisor: qemu, onDrain: stop, cpus: 7 }"),
    "profiles/p.yaml": [base, web].join("---\n"),
    "profiles/u": "#cloud-config\n",
    "g.yaml": [aDocument("Group", "g"), IMAGE].join("---\n"),
    "v.yaml": aVm("v", spec),
  });
  const vm = vmOf(desired, "v");
  expect(vm.spec).toMatchObject({
    hypervisor: "qemu",
    onDrain: "stop",
    cpus: { count: 2, max: 4 },
    memory: { sizeMiB: 2048, maxMiB: 4096 },
    group: null,
    cloudInit: { sshKeys: ["ssh-rsa A a"], userData: digestOfText("#cloud-config\n") },
    passthrough: { args: ["-no-hpet"] },
  });
  // The root disk is the one to boot from, wherever it was written.
  expect(vm.spec.disks.map(({ name, readonly }) => [name, readonly])).toEqual([
    ["root", false],
    ["data", true],
  ]);
  expect(vm.spec.nics.map(({ name, address }) => [name, address])).toEqual([
    ["eth0", "10.0.0.1/8"],
    ["eth1", null],
  ]);
  expect([...desired.files]).toEqual([[digestOfText("#cloud-config\n"), "#cloud-config\n"]]);
});

test("where a value was written: the VM, its profiles, the fleet, nowhere", () => {
  const files = {
    "_fleet.yaml": aFleetDocument("defaults:\n  onDrain: stop"),
    "p.yaml": aDocument("Profile", "p", "memory: { max: 8GiB }\nnics:\n  - { name: eth0 }"),
    "v.yaml": aVm(
      "v",
      "profile: p\ncpus: 2\nmemory: 1GiB\nsize: 1GiB\ndisks:\n  - name: data\n    size: 1GiB\ncloudHypervisor:\n  watchdog: true\n  vsock: { cid: 3, socket: /v }",
      "labels:\n  a: b",
    ),
  };
  const vm = vmOf(readWell(files), "v");
  const where = (pointer: string) => {
    const position = vm.whereIs(pointer);
    return position && `${position.file}:${position.line}:${position.column}`;
  };
  expect(vm.source).toEqual({ file: "v.yaml", line: 4, column: 9 });
  expect(where("/metadata/labels")).toBe("v.yaml:5:3");
  expect(where("/metadata/annotations")).toBeNull();
  expect(where("/spec/cpus/count")).toBe("v.yaml:9:9");
  expect(where("/spec/cpus/max")).toBe("v.yaml:9:9");
  expect(where("/spec/memory/size")).toBe("v.yaml:10:11");
  expect(where("/spec/memory/max")).toBe("p.yaml:6:18");
  expect(where("/spec/disks/root")).toBe("v.yaml:11:9");
  expect(where("/spec/disks/data")).toBe("v.yaml:13:7");
  expect(where("/spec/nics/eth0")).toBe("p.yaml:8:7");
  expect(where("/spec/passthrough")).toBe("v.yaml:15:3");
  expect(where("/spec/passthrough/watchdog")).toBe("v.yaml:16:15");
  expect(where("/spec/passthrough/vsock")).toBe("v.yaml:17:12");
  expect(where("/spec/passthrough/fs")).toBe("v.yaml:15:3");
  expect(where("/spec/onDrain")).toBe("_fleet.yaml:7:14");
  expect(where("/spec/ready")).toBeNull();
});

test("settings for two hypervisors in a profile, and a rehearsal on noop", () => {
  const profile = aDocument(
    "Profile",
    "p",
    "size: 1GiB\nqemu: { args: [-no-hpet] }\ncloudHypervisor: { watchdog: true }",
  );
  const passthrough = (hypervisor: string) =>
    vmOf(readWell({ "p.yaml": profile, "v.yaml": aVm("v", `profile: p\nhypervisor: ${hypervisor}`) }), "v").spec
      .passthrough;
  expect(passthrough("qemu")).toEqual({ args: ["-no-hpet"] });
  expect(passthrough("cloud-hypervisor")).toEqual({ watchdog: true });
  expect(passthrough("noop")).toEqual({});
  expect(mistakesIn({ "v.yaml": aVm("v", "hypervisor: noop\nsize: 1GiB\nqemu: { a: 1 }") })).toEqual([]);
});

test("MAC addresses are derived from fleet, VM and NIC, and stay", () => {
  const macs = (fleet: string, ...names: string[]) =>
    readWell({
      "_fleet.yaml": aDocument("Fleet", fleet),
      "v.yaml": names.map((name) => aVm(name, "size: 1GiB\nnics: [{ name: eth0 }, { name: eth1 }]")).join("---\n"),
    }).vms.flatMap(({ spec }) => spec.nics.map(({ mac }) => mac));
  const first = macs("f", "a");
  for (const mac of first) expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  expect(macs("f", "a", "b", "c").slice(0, 2)).toEqual(first);
  expect(macs("g", "a")[0]).not.toBe(first[0]);
  expect(new Set(macs("f", "a", "b", "c")).size).toBe(6);
});

test("a derived MAC that somebody else was given steps aside", () => {
  const nic = "size: 1GiB\nnics: [{ name: eth0 }]";
  const mac = vmOf(readWell({ "v.yaml": aVm("v", nic) }), "v").spec.nics[0]?.mac;
  const desired = readWell({
    "v.yaml": aVm("v", nic),
    "w.yaml": aVm("w", `size: 1GiB\nnics: [{ name: eth0, mac: "${mac}" }]`),
  });
  expect(vmOf(desired, "w").spec.nics[0]?.mac).toBe(mac);
  expect(vmOf(desired, "v").spec.nics[0]?.mac).not.toBe(mac);
});

test("cloud-init files are no manifests, and no mistakes", () => {
  const vm = (path: string) => aVm("v", `size: 1GiB\ncloudInit: { networkConfig: ${path} }`);
  expect(mistakesIn({ "a/v.yaml": vm("../net.yaml"), "net.yaml": "version: 2\nethernets: {}\n" })).toEqual([]);
  expect(mistakesIn({ "v.yaml": vm("./net.yaml"), "net.yaml": "version: {{ broken\n" })).toEqual([]);
  expect(
    mistakesIn({ "user.yaml": "#cloud-config\nusers: [\n", "j.yaml": "## template: jinja\n#cloud-config\n" }),
  ).toEqual([]);
  expect(mistakesIn({ "README.md": "# read me", "b.txt": "x" })).toEqual([]);
});

test("the digest changes with what is meant, not with how it is written", () => {
  const digest = (vm: string, more: Record<string, string> = {}) => readWell({ "v.yaml": vm, ...more }).digest;
  const plain = aVm("v", "cpus: 2\nsize: 1GiB\ncloudInit: { userData: ./u }", "labels: { a: '1', b: '2' }");
  const same = `# a comment\n${aVm("v", "size: 1024MiB\ncloudInit:\n  userData: ./u\ncpus: { count: 2, max: 2 }", "labels: { b: '2', a: '1' }")}`;
  expect(digest(same, { u: "x" })).toBe(digest(plain, { u: "x" }));
  expect(digest(plain, { u: "y" })).not.toBe(digest(plain, { u: "x" }));
  expect(digest(plain.replace("cpus: 2", "cpus: 3"), { u: "x" })).not.toBe(digest(plain, { u: "x" }));
  expect(digest(plain, { u: "x", "n.yaml": aNode("n1") })).not.toBe(digest(plain, { u: "x" }));
});

test("YAML as people write it: comments, anchors, empty documents, Windows lines, a byte order mark", () => {
  const spec = "memory: &m 2GiB\nsize: *m\nprofile:";
  const text = `\uFEFF---\n# nothing\n---\n${aVm("v", spec)}---\n`.replaceAll("\n", "\r\n");
  expect(vmOf(readWell({ "v.yaml": text }), "v").spec.memory.sizeMiB).toBe(2048);
  const { diagnostics } = read({ "v.yaml": text.replace("size:", "sise:") });
  expect(diagnostics.map(({ line, column, endColumn }) => [line, column, endColumn])).toEqual(
    expect.arrayContaining([[10, 3, 7]]),
  );
});

test("labels that look like numbers keep their places", () => {
  const [mistake] = mistakesIn({ "v.yaml": aVm("v", "size: 1GiB", "labels: { b: x, 10: y, 2: 3 }") });
  expect(mistake).toContain("v.yaml:5:29 wrong-type: metadata.labels[2]");
});

test("no text at all", () => {
  expect(readManifests([]).diagnostics.map(({ code }) => code)).toEqual(["missing-fleet"]);
  expect(readManifests(textsOf({ "a.yaml": "" })).desired).toBeNull();
});

test("a MAC that is written stays, beside one that is derived", () => {
  const nics = "size: 1GiB\nnics: [{ name: a, mac: '02:00:00:00:00:01' }, { name: b }]";
  const [a, b] = vmOf(readWell({ "v.yaml": aVm("v", nics) }), "v").spec.nics;
  expect(a?.mac).toBe("02:00:00:00:00:01");
  expect(b?.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  expect(b?.mac).not.toBe(a?.mac);
});
