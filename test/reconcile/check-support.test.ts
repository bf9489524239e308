/** What a node says that it can, against what a VM asks for: one word of the spec each. */
import { describe, expect, test } from "vitest";
import type { HypervisorCapabilities, HypervisorReport } from "../../src/model/observed-state.ts";
import type { DiskOrigin, HypervisorKind, NicAttachment, VmSpec } from "../../src/model/vm-spec.ts";
import { needsCloserLook, whyUnsupported } from "../../src/reconcile/check-support.ts";
import { ABLE, aSpec } from "../support/a-fleet.ts";
import { aNodeReport } from "../support/wire-builders.ts";

const hypervisor = (kind: HypervisorKind, over: Partial<HypervisorCapabilities> = {}): HypervisorReport => ({
  kind,
  version: "1",
  capabilities: { ...ABLE, ...over },
});

const whyNot = (spec: Partial<VmSpec>, ...hypervisors: readonly HypervisorReport[]) =>
  whyUnsupported(aSpec(spec), aNodeReport("n1", { hypervisors }));

const on = (over: Partial<HypervisorCapabilities>, spec: Partial<VmSpec>) => whyNot(spec, hypervisor("noop", over));

const disk = (origin: DiskOrigin) => ({ name: "d", origin, readonly: false });
const nic = (attachment: NicAttachment) => ({
  name: "eth0",
  network: "lan",
  attachment,
  mac: "52:54:00:00:00:01",
  address: null,
});
const firmware = (name: string) => ({ boot: { kind: "firmware", firmware: name } }) as const;

test("a node without the hypervisor says which it has", () => {
  expect(whyNot({})).toBe("has no noop");
  expect(whyNot({}, hypervisor("qemu"), hypervisor("cloud-hypervisor"))).toBe(
    "has no noop (it has qemu, cloud-hypervisor)",
  );
  expect(whyNot({}, hypervisor("qemu"), hypervisor("noop"))).toBeNull();
});

test.each<[string, Partial<HypervisorCapabilities>, Partial<VmSpec>, string | null]>([
  ["a boot it knows", { bootKinds: ["firmware"] }, firmware("default"), null],
  ["a boot it does not", { bootKinds: ["kernel"] }, firmware("default"), "boot by firmware"],
  ["a firmware it has", { firmware: ["uefi"] }, firmware("uefi"), null],
  ["a firmware it has not", { firmware: ["uefi"] }, firmware("bios"), "firmware bios"],
  ["no firmware of its own", { firmware: [] }, firmware("default"), "firmware"],
  ["an agent that does not say which", {}, firmware("bios"), null],
  ["a firmware by its path", { firmware: [] }, firmware("/fw.fd"), null],
  ["a kernel needs none", { firmware: [] }, {}, null],
  ["as many vCPUs as it has", { limits: { cpus: 4 } }, { cpus: { count: 1, max: 4 } }, null],
  [
    "more than that",
    { limits: { cpus: 4 } },
    { cpus: { count: 1, max: 5 } },
    "more than 4 vCPUs for a guest, and this one may grow to 5",
  ],
  ["as much memory as it gives", { limits: { memoryMiB: 64 } }, { memory: { sizeMiB: 1, maxMiB: 64 } }, null],
  [
    "more of it",
    { limits: { memoryMiB: 64 } },
    { memory: { sizeMiB: 1, maxMiB: 65 } },
    "more than 64 MiB for a guest, and this one may grow to 65",
  ],
  ["no limits", { limits: {} }, { cpus: { count: 1, max: 999 }, memory: { sizeMiB: 1, maxMiB: 1e9 } }, null],
  ["a disk it knows", { diskKinds: ["blank"] }, { disks: [disk({ kind: "blank", sizeMiB: 1 })] }, null],
  [
    "a disk it does not",
    { diskKinds: ["blank"] },
    {
      disks: [
        disk({ kind: "blank", sizeMiB: 1 }),
        disk({ kind: "image", image: "i", path: "/i", format: "raw", sizeMiB: 1 }),
      ],
    },
    "disks of kind image",
  ],
  [
    "another's disk it reaches",
    { diskKinds: ["nbd"] },
    { disks: [disk({ kind: "external", url: "nbd://h/e" })] },
    null,
  ],
  [
    "another's disk it does not",
    { diskKinds: ["file"] },
    { disks: [disk({ kind: "external", url: "nbd://h/e" })] },
    "disks of kind nbd",
  ],
  ["a NIC it knows", { nicKinds: ["user"] }, { nics: [nic({ kind: "user" })] }, null],
  [
    "a NIC it does not",
    { nicKinds: ["user"] },
    { nics: [nic({ kind: "user" }), nic({ kind: "bridge", bridge: "br0" })] },
    "NICs of kind bridge",
  ],
  ["no cloud-init asked for", { cloudInit: false }, {}, null],
  [
    "cloud-init where there is none",
    { cloudInit: false },
    { cloudInit: { userData: null, networkConfig: null, sshKeys: [] } },
    "cloud-init",
  ],
])("%s", (_, capabilities, spec, lacking) => {
  expect(on(capabilities, spec)).toBe(lacking === null ? null : `its noop 1 has no ${lacking}`);
});

describe("the whole is looked at only where single fields do not say enough", () => {
  const onCloudHypervisor = (over: Partial<VmSpec>) => aSpec({ hypervisor: "cloud-hypervisor", ...over });

  test.each<[string, VmSpec, boolean]>([
    ["settings of its own", onCloudHypervisor({ passthrough: { watchdog: true } }), true],
    ["none", onCloudHypervisor({}), false],
    ["another hypervisor's", aSpec({ hypervisor: "qemu", passthrough: { args: [] } }), false],
    ["very long", onCloudHypervisor({ annotations: { why: "x".repeat(10_000) } }), true],
    ["very long for another", aSpec({ hypervisor: "qemu", annotations: { why: "x".repeat(10_000) } }), false],
  ])("%s", (_, spec, expected) => {
    expect(needsCloserLook(spec)).toBe(expected);
  });

  const whyRefused = (version: string, over: Partial<VmSpec>) =>
    whyUnsupported(
      onCloudHypervisor(over),
      aNodeReport("n1", { hypervisors: [{ ...hypervisor("cloud-hypervisor"), version }] }),
    );

  test("what a version minds is told with its place", () => {
    expect(whyRefused("54.0.0", { passthrough: { wachtdog: true } })).toMatch(
      /^has cloud-hypervisor 54\.0\.0, which would refuse it: wachtdog: /,
    );
    expect(whyRefused("54.0.0", { passthrough: { watchdog: true } })).toBeNull();
  });

  test("disks that are elsewhere and NICs of other kinds are not what is minded", () => {
    expect(
      whyRefused("54.0.0", {
        passthrough: { watchdog: true },
        disks: [disk({ kind: "external", url: "nbd://h/e" }), { ...disk({ kind: "blank", sizeMiB: 1 }), name: "e" }],
        nics: [nic({ kind: "none" })],
      }),
    ).toBeNull();
  });
});
