/**
 * Everything that a driver refuses to compile, and where a person hears of it before that: in `validate`, where the manifests alone tell, else
 * in the plan, from what the node's report says. A driver that learns to refuse something more needs a row here.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { toLaunchCommand as compileCloudHypervisor } from "../../src/agent/hypervisor/cloud-hypervisor/compile.ts";
import type { CloudHypervisorHost } from "../../src/agent/hypervisor/cloud-hypervisor/host.ts";
import { toReport as reportOfCloudHypervisor } from "../../src/agent/hypervisor/cloud-hypervisor/probe.ts";
import { toLaunchCommand as compileQemu } from "../../src/agent/hypervisor/qemu/compile.ts";
import type { QemuHost } from "../../src/agent/hypervisor/qemu/host.ts";
import { toReport as reportOfQemu } from "../../src/agent/hypervisor/qemu/probe.ts";
import { FIRMWARE_NAMES } from "../../src/model/boot/firmware.ts";
import { MAX_VM_BYTES } from "../../src/model/request-limit.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import { whyUnsupported } from "../../src/reconcile/check-support.ts";
import { aSpec } from "../support/a-fleet.ts";
import { aDocument, aVm, mistakesIn, readWell, vmOf } from "../support/manifest-texts.ts";
import { aNodeReport } from "../support/wire-builders.ts";

const QEMU: QemuHost = {
  executable: "qemu-system-x86_64",
  version: "7.2.22",
  accelerator: "tcg",
  machine: "pc-q35-7.2",
  machines: ["pc-q35-7.2"],
  sandbox: true,
  vhostNet: false,
  uefiFirmware: null,
  blockDrivers: [],
  limits: { cpus: 255, memoryMiB: 978_944 },
  tinyGuest: "/tiny.elf",
};
const CLOUD_HYPERVISOR: CloudHypervisorHost = {
  executable: "cloud-hypervisor",
  version: "53.0.0",
  features: ["kvm"],
  architecture: "x86_64",
  kvm: true,
  firmware: new Map(),
  seccomp: "true",
  landlock: false,
  tinyGuest: "/tiny.elf",
};

const PATHS = { runFolder: "/run/o/vm", diskFolder: "/var/o/vm", logFolder: "/log/vm" };

const DRIVERS = {
  qemu: {
    compile: (spec: VmSpec) => compileQemu({ name: "vm", spec, paths: PATHS, files: new Map() }, QEMU),
    report: aNodeReport("n1", { hypervisors: [reportOfQemu(QEMU)] }),
  },
  "cloud-hypervisor": {
    compile: (spec: VmSpec) =>
      compileCloudHypervisor({ name: "vm", spec, paths: PATHS, files: new Map() }, CLOUD_HYPERVISOR),
    report: aNodeReport("n1", { hypervisors: [reportOfCloudHypervisor(CLOUD_HYPERVISOR)] }),
  },
} as const;
type Driver = keyof typeof DRIVERS;

const KERNEL = "boot: { kernel: 'builtin:tiny' }";
const firmware = (name: string) => `disks: [ { name: a, size: 4MiB } ]\nboot: { firmware: ${name} }`;
const source = (url: string) => `${KERNEL}\ndisks: [ { name: a, source: "${url}" } ]`;
const onNetwork = (network: string) => `${KERNEL}\nnics: [ { name: eth0, network: ${network} } ]`;

/** What a manifest says → the words that `validate` has for it, at which place. */
const SAID_BY_VALIDATE: readonly (readonly [Driver, spec: string, said: string])[] = [
  ["qemu", `${KERNEL}\nqemu: { args: ['-m', 5G] }`, "8:18 bad-value: qemu.args may not contain -m"],
  ["qemu", `${KERNEL}\nqemu: { args: [-vnc, '--smp', 'x'] }`, "8:24 bad-value: qemu.args may not contain --smp"],
  ["qemu", `${KERNEL}\nqemu: { args: [''] }`, "8:18 bad-value: qemu.args must be a list of texts"],
  ["qemu", `${KERNEL}\nqemu: { args: '-vnc x' }`, "8:17 bad-value: qemu.args must be a list of texts"],
  ["qemu", `${KERNEL}\nqemu: { argv: [] }`, "8:17 bad-value: the qemu section has no field argv"],
  ["qemu", firmware("hypervisor-fw"), "8:21 bad-value: qemu has no firmware called hypervisor-fw"],
  ["cloud-hypervisor", firmware("bios"), "8:21 bad-value: cloud-hypervisor has no firmware called bios"],
  ["cloud-hypervisor", firmware("uefo"), '(did you mean "uefi"?)'],
  ["qemu", source("iscsi://san"), "8:31 bad-value: the source of disk a"],
  ["qemu", source("iscsi://san/target/one"), "8:31 bad-value: the source of disk a"],
  ["qemu", source("nbd+unix:///x"), "8:31 bad-value: the source of disk a"],
  ["qemu", source("nbd://h/%zz"), "8:31 bad-value: the source of disk a"],
  ["qemu", `${KERNEL}\nready: { tcp: 22 }`, "8:17 conflicting-fields: ready.tcp needs an address to connect to"],
  [
    "cloud-hypervisor",
    `${onNetwork("front")}\nready: { tcp: 22 }`,
    "9:17 conflicting-fields: ready.tcp needs an address to connect to",
  ],
  ["cloud-hypervisor", `${KERNEL}\ncloudHypervisor: { rng: { src: 5 } }`, "bad-value"],
];

const shared = aDocument("Network", "front", "type: bridge\nbridge: br0");
const manifest = (driver: Driver, spec: string) => ({
  "a.yaml": aVm("vm", `hypervisor: ${driver}\n${spec}`),
  "net.yaml": shared,
});

test.each(SAID_BY_VALIDATE)("%s: validate refuses %s", (driver, spec, said) => {
  expect(mistakesIn(manifest(driver, spec)).join("\n")).toContain(said);
});

/** → why the node does not take it, in the plan. */
const SAID_BY_PLAN: readonly (readonly [Driver, spec: string, why: string])[] = [
  ["qemu", firmware("uefi"), "its qemu 7.2.22 has no firmware uefi"],
  ["qemu", source("rbd://pool/ns/img"), "its qemu 7.2.22 has no disks of kind rbd"],
  ["qemu", source("iscsi://san/target/1"), "its qemu 7.2.22 has no disks of kind iscsi"],
  ["cloud-hypervisor", firmware("uefi"), "its cloud-hypervisor 53.0.0 has no firmware uefi"],
  ["cloud-hypervisor", firmware("default"), "its cloud-hypervisor 53.0.0 has no firmware"],
  ["cloud-hypervisor", source("nbd://h/x"), "its cloud-hypervisor 53.0.0 has no disks of kind nbd"],
  ["cloud-hypervisor", onNetwork("default"), "its cloud-hypervisor 53.0.0 has no NICs of kind user"],
  [
    "cloud-hypervisor",
    `boot: { kernel: /k, cmdline: ${"x".repeat(60_000)} }`,
    "has cloud-hypervisor 53.0.0, which would refuse it: the configuration has",
  ],
];

/** QEMU says these itself, when it starts: no driver refuses them. */
const SAID_BY_PLAN_ALONE: readonly (readonly [Driver, spec: string, why: string])[] = [
  [
    "qemu",
    `${KERNEL}\ncpus: { count: 1, max: 300 }`,
    "its qemu 7.2.22 has no more than 255 vCPUs for a guest, and this one may grow to 300",
  ],
  ["qemu", `${KERNEL}\nmemory: { size: 1GiB, max: 1TiB }`, "its qemu 7.2.22 has no more than 978944 MiB for a guest"],
];

const specOf = (driver: Driver, spec: string): VmSpec => vmOf(readWell(manifest(driver, spec)), "vm").spec;

describe("what only the node knows", () => {
  test.each(SAID_BY_PLAN)("%s: %s", (driver, yaml, why) => {
    const spec = specOf(driver, yaml);
    expect(whyUnsupported(spec, DRIVERS[driver].report)).toContain(why);
    if (!yaml.includes("rbd") && !yaml.includes("iscsi"))
      expect(isRefused(driver, spec) || isOpenedByModule(yaml)).toBe(true);
  });

  test.each(SAID_BY_PLAN_ALONE)("%s: %s", (driver, yaml, why) => {
    expect(whyUnsupported(specOf(driver, yaml), DRIVERS[driver].report)).toContain(why);
  });

  test("an agent that does not say so is believed to be able", () => {
    const { firmware: _, limits: __, ...capabilities } = reportOfQemu(QEMU).capabilities;
    const report = aNodeReport("n1", { hypervisors: [{ ...reportOfQemu(QEMU), capabilities }] });
    expect(whyUnsupported(specOf("qemu", firmware("uefi")), report)).toBeNull();
    expect(whyUnsupported(specOf("qemu", `${KERNEL}\ncpus: { count: 1, max: 300 }`), report)).toBeNull();
  });
});

const isOpenedByModule = (yaml: string): boolean => /nics|disks: \[ \{ name: a, source/.test(yaml);

function isRefused(driver: Driver, spec: VmSpec): boolean {
  try {
    DRIVERS[driver].compile(spec);
    return false;
  } catch {
    return true;
  }
}

test("no manifest can ask for a firmware that its driver has never heard of", () => {
  for (const driver of ["qemu", "cloud-hypervisor"] as const) {
    for (const name of FIRMWARE_NAMES[driver] ?? []) {
      const compile = () =>
        DRIVERS[driver].compile(aSpec({ hypervisor: driver, boot: { kind: "firmware", firmware: name } }));
      // It may not be on this node, but it is known.
      if (isRefused(driver, aSpec({ hypervisor: driver, boot: { kind: "firmware", firmware: name } })))
        expect(compile).toThrow(/this node has no/);
    }
    const unknown = aSpec({ hypervisor: driver, boot: { kind: "firmware", firmware: "coreboot" } });
    expect(() => DRIVERS[driver].compile(unknown)).toThrow(/no firmware called coreboot/);
  }
});

/** One more refusal in a driver is one more row above, or a reason here. */
test("every place where a driver refuses a spec is known here", () => {
  const places: Readonly<Record<string, number>> = {
    // a name of a firmware: validate; one that is not on the node: plan
    "agent/hypervisor/qemu/compile.ts": 2,
    // a form of a disk's URL: validate
    "agent/hypervisor/qemu/block-node.ts": 1,
    // qemu.args: validate
    "agent/hypervisor/qemu/passthrough.ts": 1,
    // 160 disks and 32 NICs are more than the schema takes
    "agent/hypervisor/qemu/topology.ts": 1,
    "agent/hypervisor/qemu/net-backend.ts": 0,
    // --seccomp errno before v53: how the agent was started; what checkVmConfig finds: validate for all versions, plan for one
    "agent/hypervisor/cloud-hypervisor/compile.ts": 2,
    // firmware, as with QEMU
    "agent/hypervisor/cloud-hypervisor/files.ts": 2,
    // kinds of disks and NICs: plan
    "model/cloud-hypervisor/to-vm-config.ts": 2,
  };
  for (const [place, count] of Object.entries(places)) {
    const text = readFileSync(new URL(`../../src/${place}`, import.meta.url), "utf8");
    const refusals = text.match(/new OdoroboError\(\s*"UNSUPPORTED"/g) ?? [];
    expect([place, refusals.length]).toEqual([place, count]);
  }
});

test("what is valid can be sent: a text and a spec that are more than an agent takes are told at their place", () => {
  const vm = (text: string) => ({
    "a.yaml": aVm("vm", `${KERNEL}\ncloudInit: { userData: ./ud.txt }`),
    "ud.txt": text,
  });
  const text = (bytes: number) => `#cloud-config\n#${"a".repeat(bytes)}\n`;
  expect(mistakesIn(vm(text(MAX_VM_BYTES + 1)))).toEqual([
    expect.stringMatching(
      /^a.yaml:7:26 bad-value: this VM is 10\d\d KiB as it is sent, and an agent takes 1020 KiB: its userData alone is 10\d\d KiB/,
    ),
  ]);
  expect(mistakesIn(vm(text(MAX_VM_BYTES - 10_000)))).toEqual([]);
  // As JSON each of these is six bytes.
  expect(mistakesIn(vm(`#cloud-config\n#${"\u0001".repeat(300_000)}\n`))).toHaveLength(1);
  const long = { "b.yaml": aVm("vm", KERNEL, `annotations: { a: "${"x".repeat(MAX_VM_BYTES + 1)}" }`) };
  expect(mistakesIn(long)).toEqual([expect.stringMatching(/^b.yaml:4:9 bad-value: this VM is/)]);
});
