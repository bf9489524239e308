/** What people add through Cloud Hypervisor's own API is drift in words that every reader of a report understands. */
import { expect, test } from "vitest";
import { toLiveConfig } from "../../../src/model/cloud-hypervisor/live-config.ts";
import { toVmConfig } from "../../../src/model/cloud-hypervisor/to-vm-config.ts";
import type { PayloadConfig, VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import { findAnswerError } from "../../../src/wire/check-shape.ts";
import { aNodeReport, aVmReport } from "../../support/wire-builders.ts";
import { aChSpec, asVmInfoSays, blank, configOf, external, MIB, nic, PLACES } from "./any-vm.ts";

const spec = aChSpec();

const liveWith = (over: Partial<VmConfig>) => toLiveConfig({ ...configOf(), ...over }, { spec, places: PLACES });

test.each<[string, Partial<VmConfig>]>([
  ["a disk that was given no id", { disks: [{ id: "_disk0", path: "/srv/a.raw" }] }],
  ["a disk called after what it is", { disks: [{ id: "disks.697dc0c9", path: "/srv/a.raw" }] }],
  ["a disk behind a socket", { disks: [{ id: "far", vhost_user: true, vhost_socket: "/run/far.sock" }] }],
  ["a NIC that was given no id", { net: [{ id: "_net1", tap: "tap7", mac: "AA:BB:CC:00:11:22" }] }],
  ["a NIC whose mac nobody knows", { net: [{ id: "eth7", tap: "tap7" }] }],
  ["memory of odd bytes", { memory: { size: 300_000_001 } }],
])("%s", (_what, added) => {
  const live = liveWith(added);
  expect(live).not.toEqual(liveWith({}));
  const report = aNodeReport("n1", { vms: [aVmReport("web-1", { spec, live })] });
  expect(findAnswerError("node-report", report)).toBeNull();
});

test("a disk with a name that a disk can have is a disk", () => {
  expect(liveWith({ disks: [{ id: "data", path: "/srv/a.raw" }] }).disks).toEqual([
    { name: "data", origin: { kind: "external", url: "file:///srv/a.raw" }, readonly: false },
  ]);
});

test("a disk is as large as its file is; one whose file nobody looked at as its spec says, and others' files have no size", () => {
  const disks = [blank("data", 64), external("shared", "/srv/shared.raw")];
  const withDisks = aChSpec({ disks });
  const sent = toVmConfig({ name: "web-1", spec: withDisks, places: PLACES });
  const live = (diskBytes: Record<string, number>) =>
    toLiveConfig(asVmInfoSays(sent), { spec: withDisks, places: PLACES, diskBytes }).disks;
  expect(live({})).toEqual(disks);
  expect(live({ data: 128 * MIB + 1, shared: 7 * MIB })).toEqual([blank("data", 128), disks[1]]);
});

test("a disk that was taken away by hand is missing from the disks, and nothing else is said of it", () => {
  const withDisks = aChSpec({ disks: [blank("root", 64), blank("data", 64)], passthrough: { watchdog: true } });
  const sent = toVmConfig({ name: "web-1", spec: withDisks, places: PLACES });
  const left = asVmInfoSays({ ...sent, disks: (sent.disks ?? []).filter(({ id }) => id !== "data") });
  const live = toLiveConfig(left, { spec: withDisks, places: PLACES });
  expect(live.disks).toEqual([blank("root", 64)]);
  expect(live.passthrough).toEqual({ watchdog: true });
});

test("a guest that was booted with another UUID, or with none, is as it should be", () => {
  const places = { ...PLACES, uuid: "11111111-2222-4333-8444-555555555555" };
  const of = (config: VmConfig) => toLiveConfig(config, { spec, places });
  const sent = asVmInfoSays(toVmConfig({ name: "web-1", spec, places }));
  const asSent = of(sent);
  const { platform, ...without } = sent;
  expect(platform).toBeDefined();
  expect(of({ ...sent, platform: { ...platform, uuid: "99999999-2222-4333-8444-555555555555" } })).toEqual(asSent);
  expect(of(without)).toEqual(asSent);
  expect(of({ ...sent, platform: { ...platform, oem_strings: ["a"] } })).not.toEqual(asSent);
});

test("a guest that was booted with another kernel, or with firmware, says so in the spec's words", () => {
  const kernel = (over: object) => ({
    kind: "kernel" as const,
    kernel: "builtin:tiny",
    initramfs: null,
    cmdline: "",
    ...over,
  });
  const booted = aChSpec({ boot: kernel({ kernel: "/boot/mine", cmdline: "quiet" }) });
  const sent = asVmInfoSays(toVmConfig({ name: "web-1", spec: booted, places: PLACES }));
  const boot = (payload: PayloadConfig | undefined, of = booted) =>
    toLiveConfig({ ...sent, ...(payload && { payload }) }, { spec: of, places: PLACES }).boot;
  expect(boot(sent.payload)).toEqual(booted.boot);
  expect(boot({ ...sent.payload, cmdline: "debug" })).toEqual({ ...booted.boot, cmdline: "debug" });
  expect(boot({ ...sent.payload, initramfs: "/boot/initrd" })).toEqual({ ...booted.boot, initramfs: "/boot/initrd" });
  expect(boot({ kernel: "/boot/other" })).toEqual(kernel({ kernel: "/boot/other" }));
  expect(boot({ kernel: PLACES.kernel("builtin:tiny") })).toEqual(kernel({}));
  expect(boot({ firmware: "/fw" })).toEqual({ kind: "firmware", firmware: "/fw" });
  // Its own firmware has the name that the spec gives it.
  const firm = aChSpec({ boot: { kind: "firmware", firmware: "default" } });
  const firmware = toVmConfig({ name: "web-1", spec: firm, places: PLACES }).payload;
  expect(boot({ ...firmware, cmdline: "x" }, firm)).toEqual(firm.boot);
  expect(boot({ kernel: "/k" }, firm)).toEqual(kernel({ kernel: "/k" }));
});

test("memory that was plugged is what the guest has; how much it can have is what it was booted with", () => {
  const roomy = (passthrough: VmSpec["passthrough"] = {}) =>
    aChSpec({ memory: { sizeMiB: 512, maxMiB: 2048 }, passthrough });
  const memory = (of: VmSpec, over: object) => {
    const sent = asVmInfoSays(toVmConfig({ name: "web-1", spec: of, places: PLACES }));
    return toLiveConfig({ ...sent, memory: { ...sent.memory, ...over } } as VmConfig, { spec: of, places: PLACES })
      .memory;
  };
  expect(memory(roomy(), {})).toEqual({ sizeMiB: 512, maxMiB: 2048 });
  // ACPI: what was plugged is in the size, and the room is what it was at the boot.
  expect(memory(roomy(), { size: 1024 * MIB })).toEqual({ sizeMiB: 1024, maxMiB: 2048 });
  expect(memory(roomy(), { hotplug_size: 512 * MIB })).toEqual({ sizeMiB: 512, maxMiB: 1024 });
  expect(memory(roomy(), { size: 256 * MIB })).toEqual({ sizeMiB: 256, maxMiB: 2048 });
  // Grown to what the spec says by now: the room is still that of the boot, and no more than was wanted in all.
  const grown = aChSpec({ memory: { sizeMiB: 1024, maxMiB: 2048 } });
  expect(memory(grown, { size: 1024 * MIB, hotplug_size: 1536 * MIB })).toEqual({ sizeMiB: 1024, maxMiB: 2048 });
  expect(memory(grown, { size: 1024 * MIB, hotplug_size: 2048 * MIB })).toEqual({ sizeMiB: 1024, maxMiB: 3072 });
  expect(memory(grown, { size: 1024 * MIB, hotplug_size: 512 * MIB })).toEqual({ sizeMiB: 1024, maxMiB: 1536 });
  const virtio = roomy({ memory: { hotplug_method: "VirtioMem" } });
  expect(memory(virtio, { hotplugged_size: 256 * MIB })).toEqual({ sizeMiB: 768, maxMiB: 2048 });
  expect(memory(virtio, { hotplug_size: 512 * MIB })).toEqual({ sizeMiB: 512, maxMiB: 1024 });
  const plugged = roomy({ memory: { hotplug_method: "VirtioMem", hotplugged_size: 128 * MIB } });
  expect(memory(plugged, {})).toEqual({ sizeMiB: 512, maxMiB: 2048 });
});

test("what Cloud Hypervisor finds out or makes up where nothing was said is nobody's change", () => {
  const disks = [blank("data", 64)];
  const bare = aChSpec({ disks, passthrough: { disks: [{ id: "data", image_type: "Unknown" }] } });
  const sent = asVmInfoSays(toVmConfig({ name: "web-1", spec: bare, places: PLACES }));
  const of = (over: Partial<VmConfig>) => toLiveConfig({ ...sent, ...over }, { spec: bare, places: PLACES });
  const found = (sent.disks ?? []).map((disk) => ({ ...disk, image_type: "Raw" as const }));
  expect(of({ disks: found })).toEqual(of({}));
  expect(of({ disks: found.map((disk) => ({ ...disk, direct: true })) })).not.toEqual(of({}));
});

test("the seed image has a slot of its own, in which no disk is", () => {
  const many = Array.from({ length: 15 }, (_, index) => blank(`d${index}`, 64));
  const cloudInit = { userData: null, networkConfig: null, sshKeys: ["ssh-ed25519 A a"] };
  const config = toVmConfig({ name: "web-1", spec: aChSpec({ disks: many, cloudInit }), places: PLACES });
  const slots = (config.disks ?? []).map(({ pci_device_id }) => pci_device_id);
  expect(slots).toContain(31);
  expect(new Set(slots).size).toBe(16);
});

test("what has no path is no disk of the spec's, and a NIC that was taken away is said nothing more of", () => {
  const far = { id: "far", vhost_user: true, vhost_socket: "/run/far.sock" };
  for (const added of [far, { id: "far", path: "" }])
    expect(liveWith({ disks: [added] })).toMatchObject({ disks: [], passthrough: { disks: [{ id: "far" }] } });
  const withNics = aChSpec({ nics: [nic("eth0"), nic("eth1")] });
  const sent = asVmInfoSays(toVmConfig({ name: "web-1", spec: withNics, places: PLACES }));
  const left = { ...sent, net: (sent.net ?? []).filter(({ id }) => id !== "eth1") };
  const live = toLiveConfig(left, { spec: withNics, places: PLACES });
  expect(live.nics).toEqual([nic("eth0")]);
  expect(live.passthrough).toEqual({});
});
