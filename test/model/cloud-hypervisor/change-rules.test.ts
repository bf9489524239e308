/** The live-change matrix, row by row: what a guest promises of a change, and the calls that keep the promise. */
import { describe, expect, test } from "vitest";
import { type ChangeFacts, changeRules } from "../../../src/model/cloud-hypervisor/change-rules.ts";
import { VM_CONFIG } from "../../../src/model/cloud-hypervisor/config-fields.ts";
import { whyNotRemove } from "../../../src/model/cloud-hypervisor/live-abilities.ts";
import { planLiveChanges } from "../../../src/model/cloud-hypervisor/live-changes.ts";
import { toVmConfig } from "../../../src/model/cloud-hypervisor/to-vm-config.ts";
import { compareSpecs } from "../../../src/model/fields.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import { judgeByRules } from "../../../src/reconcile/judge-by-rules.ts";
import { aChSpec, asVmInfoSays, blank, external, MIB, nic, overlay, PLACES } from "./any-vm.ts";

const BASE: Partial<VmSpec> = {
  cpus: { count: 2, max: 4 },
  memory: { sizeMiB: 1024, maxMiB: 2048 },
  disks: [overlay("root"), blank("data", 64)],
  nics: [nic("eth0")],
};
const section = (passthrough: Record<string, unknown>): Partial<VmSpec> => ({ passthrough });
const SHARED = { memory: { shared: true } };
const VIRTIO_MEM = { memory: { hotplug_method: "VirtioMem" } };
const zone = (plugged: number) => ({
  memory: {
    hotplug_method: "VirtioMem",
    zones: [{ id: "z0", size: 1024 * MIB, hotplug_size: 1024 * MIB, hotplugged_size: plugged * MIB }],
  },
});
const fs = (...tags: readonly string[]) => tags.map((tag) => ({ tag, socket: `/run/${tag}.sock` }));
const generic = (type: number) => ({
  ...SHARED,
  generic_vhost_user: [{ id: "g", socket: "/g", queue_sizes: [128], device_type: type }],
});

interface Outcome {
  readonly class: string;
  readonly note: string | null;
  readonly calls: readonly string[];
}

/** The first changed field's verdict, the note with it, and every call. */
function change(
  before: Partial<VmSpec>,
  after: Partial<VmSpec>,
  over: Partial<ChangeFacts> = {},
  places = PLACES,
): Outcome {
  const facts: ChangeFacts = { version: "53.0.0", architecture: "x86_64", ...over };
  const [was, becomes] = [aChSpec({ ...BASE, ...before }), aChSpec({ ...BASE, ...before, ...after })];
  const now = asVmInfoSays(toVmConfig({ name: "web-1", spec: was, places }));
  const bytes = ({ disks }: VmSpec) =>
    Object.fromEntries(
      disks.flatMap(({ name, origin }) => (origin.kind === "external" ? [] : [[name, origin.sizeMiB * MIB]])),
    );
  const wanted = toVmConfig({ name: "web-1", spec: becomes, places });
  const [difference] = compareSpecs(was, becomes);
  if (difference === undefined) throw new Error("nothing was changed");
  const verdict = judgeByRules(difference, changeRules(now, facts));
  return {
    class: verdict?.class ?? "no rule",
    note: verdict?.note ?? null,
    calls: planLiveChanges(now, wanted, facts, { now: bytes(was), wanted: bytes(becomes) }).map(({ endpoint, body }) =>
      endpoint.startsWith("vm.add-")
        ? `${endpoint} ${"id" in body ? body.id : ""}`
        : `${endpoint} ${JSON.stringify(body)}`,
    ),
  };
}

type Row = readonly [string, Partial<VmSpec>, Partial<VmSpec>, readonly string[]];

const LIVE: readonly Row[] = [
  ["CPUs up", {}, { cpus: { count: 4, max: 4 } }, ['vm.resize {"desired_vcpus":4}']],
  ["CPUs down", {}, { cpus: { count: 1, max: 4 } }, ['vm.resize {"desired_vcpus":1}']],
  ["memory up by ACPI", {}, { memory: { sizeMiB: 1152, maxMiB: 2048 } }, [`vm.resize {"desired_ram":${1152 * MIB}}`]],
  [
    "memory up by virtio-mem",
    section(VIRTIO_MEM),
    { memory: { sizeMiB: 1026, maxMiB: 2048 } },
    [`vm.resize {"desired_ram":${1026 * MIB}}`],
  ],
  [
    "a balloon larger",
    section({ balloon: { size: 0 } }),
    section({ balloon: { size: MIB } }),
    ['vm.resize {"desired_balloon":1048576}'],
  ],
  ["a zone larger", section(zone(0)), section(zone(2)), [`vm.resize-zone {"id":"z0","desired_ram":${1026 * MIB}}`]],
  ["a zone smaller", section(zone(4)), section(zone(2)), [`vm.resize-zone {"id":"z0","desired_ram":${1026 * MIB}}`]],
  ["a disk more", {}, { disks: [overlay("root"), blank("data", 64), external("more")] }, ["vm.add-disk more"]],
  ["a disk less", {}, { disks: [overlay("root")] }, ['vm.remove-device {"id":"data"}']],
  [
    "a volume larger",
    {},
    { disks: [overlay("root"), blank("data", 128)] },
    [`vm.resize-disk {"id":"data","desired_size":${128 * MIB}}`],
  ],
  ["a NIC more", {}, { nics: [nic("eth0"), nic("eth1", 2)] }, ["vm.add-net eth1"]],
  ["a NIC less", {}, { nics: [] }, ['vm.remove-device {"id":"eth0"}']],
  ["a shared folder more", section(SHARED), section({ ...SHARED, fs: fs("a") }), ["vm.add-fs fs.a"]],
  ["a shared folder less", section({ ...SHARED, fs: fs("a") }), section(SHARED), ['vm.remove-device {"id":"fs.a"}']],
  [
    "one folder for another",
    section({ ...SHARED, fs: fs("a") }),
    section({ ...SHARED, fs: fs("b") }),
    ['vm.remove-device {"id":"fs.a"}', "vm.add-fs fs.b"],
  ],
  ["persistent memory more", {}, section({ pmem: [{ id: "p", file: "/p" }] }), ["vm.add-pmem p"]],
  [
    "persistent memory less",
    section({ pmem: [{ id: "p", file: "/p" }] }),
    section({}),
    ['vm.remove-device {"id":"p"}'],
  ],
  ["a vDPA device more", {}, section({ vdpa: [{ id: "v", path: "/v" }] }), ["vm.add-vdpa v"]],
  ["a vDPA device less", section({ vdpa: [{ id: "v", path: "/v" }] }), section({}), ['vm.remove-device {"id":"v"}']],
  ["a VFIO device more", {}, section({ devices: [{ id: "d", path: "/d" }] }), ["vm.add-device d"]],
  ["a VFIO device less", section({ devices: [{ id: "d", path: "/d" }] }), section({}), ['vm.remove-device {"id":"d"}']],
  [
    "a vfio-user device more",
    section(SHARED),
    section({ ...SHARED, user_devices: [{ id: "u", socket: "/u" }] }),
    ["vm.add-user-device u"],
  ],
  [
    "a vfio-user device less",
    section({ ...SHARED, user_devices: [{ id: "u", socket: "/u" }] }),
    section(SHARED),
    ['vm.remove-device {"id":"u"}'],
  ],
  ["a vhost-user device more", section(SHARED), section(generic(26)), ["vm.add-generic-vhost-user g"]],
  ["a vhost-user device less", section(generic(26)), section(SHARED), ['vm.remove-device {"id":"g"}']],
  ["a vsock device", {}, section({ vsock: { cid: 3, socket: "/v" } }), ["vm.add-vsock vsock.device"]],
  [
    "no vsock device",
    section({ vsock: { cid: 3, socket: "/v" } }),
    section({}),
    ['vm.remove-device {"id":"vsock.device"}'],
  ],
  [
    "a device behind the IOMMU on its segment",
    section({ platform: { num_pci_segments: 2, iommu_segments: [1] } }),
    section({
      platform: { num_pci_segments: 2, iommu_segments: [1] },
      pmem: [{ id: "p", file: "/p", iommu: true, pci_segment: 1 }],
    }),
    ["vm.add-pmem p"],
  ],
];

test.each(LIVE)("live: %s", (_, before, after, calls) => {
  expect(change(before, after)).toMatchObject({ class: "live", calls });
});

const REBOOT: readonly (readonly [string, Partial<VmSpec>, Partial<VmSpec>, RegExp])[] = [
  ["more CPUs than there is room for", {}, { cpus: { count: 5, max: 5 } }, /room for 4 vCPUs/],
  [
    "fewer CPUs than a disk has queues",
    section({ disks: [{ id: "data", num_queues: 2 }] }),
    { cpus: { count: 1, max: 4 } },
    /data has 2 queues/,
  ],
  ["more memory than there is room for", {}, { memory: { sizeMiB: 4096, maxMiB: 4096 } }, /room for 2048 MiB/],
  ["memory in other steps than ACPI's", {}, { memory: { sizeMiB: 1100, maxMiB: 2048 } }, /steps of 128/],
  ["less memory by ACPI", {}, { memory: { sizeMiB: 896, maxMiB: 2048 } }, /not given back/],
  [
    "less memory than virtio-mem booted with",
    section(VIRTIO_MEM),
    { memory: { sizeMiB: 512, maxMiB: 2048 } },
    /booted with 1024 MiB/,
  ],
  ["memory in zones", section(zone(0)), { memory: { sizeMiB: 1152, maxMiB: 2048 } }, /in zones/],
  ["a balloon where none was", {}, section({ balloon: { size: MIB } }), /plugged at boot/],
  [
    "another kind of balloon",
    section({ balloon: { size: 0 } }),
    section({ balloon: { size: 0, deflate_on_oom: true } }),
    /plugged at boot/,
  ],
  ["a zone beyond its room", section(zone(0)), section(zone(2048)), /booted with room/],
  ["another layout of memory", {}, section({ memory: { hugepages: true } }), /laid out at boot/],
  [
    "the disk that it boots from",
    { boot: { kind: "firmware", firmware: "default" } },
    { disks: [blank("data", 64)] },
    /boots from it/,
  ],
  ["an overlay larger", {}, { disks: [overlay("root", 4096), blank("data", 64)] }, /only while the guest is off/],
  [
    "another disk under the same name",
    { disks: [external("root", "/a")] },
    { disks: [external("root", "/b")] },
    /cannot be exchanged/,
  ],
  ["settings of a disk", {}, section({ disks: [{ id: "data", direct: true }] }), /read when it is plugged/],
  ["another NIC under the same name", {}, { nics: [nic("eth0", 9)] }, /cannot be exchanged/],
  ["settings of a NIC", {}, section({ net: [{ id: "eth0", mtu: 9000 }] }), /read when it is plugged/],
  ["a shared folder without shared memory", {}, section({ fs: fs("a") }), /without shared memory/],
  [
    "another socket of a folder",
    section({ ...SHARED, fs: fs("a") }),
    section({ ...SHARED, fs: [{ tag: "a", socket: "/x" }] }),
    /cannot be exchanged/,
  ],
  ["a vhost-user device that stays", section(generic(4)), section(SHARED), /does not take a device of this type/],
  [
    "another vsock device",
    section({ vsock: { cid: 3, socket: "/v" } }),
    section({ vsock: { cid: 4, socket: "/v" } }),
    /cannot be exchanged/,
  ],
  ["a device behind the IOMMU", {}, section({ pmem: [{ id: "p", file: "/p", iommu: true }] }), /only on a segment/],
  [
    "the kernel",
    { boot: { kind: "kernel", kernel: "/a", initramfs: null, cmdline: "" } },
    { boot: { kind: "kernel", kernel: "/b", initramfs: null, cmdline: "" } },
    /only at boot/,
  ],
  ["cloud-init", {}, { cloudInit: { userData: null, networkConfig: null, sshKeys: ["a"] } }, /reads it at boot/],
  ["landlock", {}, section({ landlock_rules: [{ path: "/a", access: "r" }] }), /confined once/],
];

test.each(REBOOT)("reboot: %s", (_, before, after, note) => {
  const outcome = change(before, after);
  expect(outcome.class).toBe("reboot");
  expect(outcome.note).toMatch(note);
  expect(outcome.calls).toEqual([]);
});

test.each([
  "rng",
  "rtc",
  "watchdog",
  "pvpanic",
  "tpm",
  "iommu",
  "platform",
  "pci_segments",
  "numa",
  "console",
  "serial",
  "debug_console",
  "rate_limit_groups",
  "cpus",
  "payload",
])("%s is read only at boot", (key) => {
  const rules = changeRules(asVmInfoSays(toVmConfig({ name: "a", spec: aChSpec(BASE), places: PLACES })), {
    version: "53.0",
    architecture: "x86_64",
  });
  expect(rules).toContainEqual({
    path: `passthrough.${key}`,
    change: "any",
    class: "reboot",
    note: "read only at boot",
  });
});

test("no field of a VmConfig is without a rule", () => {
  const rules = changeRules({ payload: { kernel: "/k" } }, { version: "53.0", architecture: "x86_64" });
  for (const key of Object.keys(VM_CONFIG.fields))
    expect(
      judgeByRules({ path: `passthrough.${key}`, pointer: "", from: { a: 1 }, to: { a: 2 } }, rules)?.class,
      key,
    ).toBe("reboot");
});

describe("what else decides", () => {
  test("arm64 plugs no CPUs", () => {
    const outcome = change({}, { cpus: { count: 3, max: 4 } }, { architecture: "aarch64" });
    expect(outcome).toEqual({ class: "reboot", note: "Cloud Hypervisor plugs no CPUs on arm64", calls: [] });
  });

  test("a process under Landlock opens nothing new", () => {
    const places = { ...PLACES, landlock: [] };
    expect(change({}, { disks: [overlay("root"), blank("data", 64), blank("b")] }, {}, places)).toMatchObject({
      class: "reboot",
      note: expect.stringContaining("Landlock"),
      calls: [],
    });
    expect(change({}, { disks: [overlay("root")] }, {}, places).class).toBe("live");
  });

  test("from version 54 on what is behind the IOMMU by itself stays", () => {
    const before = section({ pmem: [{ id: "p", file: "/p", iommu: true }] });
    expect(change(before, section({}), { version: "53.0" }).class).toBe("live");
    expect(change(before, section({}), { version: "54.0" }).class).toBe("reboot");
  });

  test("when no slot is free, nothing more is plugged", () => {
    const disks = [overlay("root"), ...Array.from({ length: 22 }, (_, index) => blank(`d${index}`))];
    const more = { disks: [...disks, blank("last")] };
    expect(change({ disks, nics: [] }, more)).toMatchObject({
      class: "reboot",
      note: "no PCI slot is free",
      calls: [],
    });
    expect(change({ disks: disks.slice(0, -1), nics: [] }, { disks }).class).toBe("live");
  });

  test("a guest is bound to the disk that it boots from, and to nothing else of that name", () => {
    const facts = { version: "53.0", architecture: "x86_64" } as const;
    const config = { disks: [{ id: "root", path: "/srv/root.raw" }], payload: { firmware: "/fw" } };
    expect(whyNotRemove(config, "disks", { id: "root" }, facts)).toBe("the guest boots from it");
    for (const [list, id] of [
      ["disks", "data"],
      ["net", "root"],
    ] as const)
      expect(whyNotRemove(config, list, { id }, facts)).toBeNull();
    expect(whyNotRemove({ ...config, disks: [] }, "disks", {}, facts)).toBeNull();
  });

  test("memory that was plugged already has taken its room", () => {
    const grown = { memory: { sizeMiB: 2048, maxMiB: 2048 } };
    const spec = aChSpec({ ...BASE, ...grown });
    const now = {
      ...asVmInfoSays(toVmConfig({ name: "a", spec, places: PLACES })),
      memory: { size: 2048 * MIB, hotplug_size: 1024 * MIB },
    };
    const rules = changeRules(now, { version: "53.0", architecture: "x86_64", memoryMaxMiB: 2048 });
    expect(judgeByRules({ path: "memory.size", pointer: "", from: 2048, to: 2176 }, rules)?.note).toMatch(
      /room for 2048/,
    );
  });
});
