/** What a running guest is given, and in which words: one change at a time. */
import { describe, expect, test } from "vitest";
import { type DiskSizes, planLiveChanges } from "../../../src/model/cloud-hypervisor/live-changes.ts";
import type { VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import { MIB } from "./any-vm.ts";

const GUEST: VmConfig = {
  payload: { kernel: "/vmlinux" },
  cpus: { boot_vcpus: 1, max_vcpus: 4 },
  memory: { size: 512 * MIB, hotplug_size: 1024 * MIB },
};
const X86 = { version: "53.0", architecture: "x86_64" } as const;

const calls = (now: Partial<VmConfig>, wanted: Partial<VmConfig>, sizes?: DiskSizes, facts: object = X86) =>
  planLiveChanges({ ...GUEST, ...now }, { ...GUEST, ...wanted }, facts as typeof X86, sizes).map(
    ({ endpoint, body }) => [endpoint, body],
  );

const zoned = (plugged: number, size = 512) => ({
  memory: {
    size: 0,
    hotplug_method: "VirtioMem" as const,
    zones: [{ id: "a", size: size * MIB, hotplug_size: 1024 * MIB, hotplugged_size: plugged * MIB }],
  },
});
const disk = (over: object = {}) => ({ disks: [{ id: "data", path: "/d.raw", image_type: "Raw" as const, ...over }] });

test("nothing is asked of a guest that is as it should be, whatever is left to defaults", () => {
  expect(calls({}, {})).toEqual([]);
  const bare = { payload: { kernel: "/vmlinux" } };
  expect(planLiveChanges(bare, bare, X86)).toEqual([]);
});

describe("CPUs", () => {
  const cpus = (boot_vcpus: number) => ({ cpus: { boot_vcpus, max_vcpus: 4 } });
  test("more and fewer, within what was booted", () => {
    expect(calls({}, cpus(4))).toEqual([["vm.resize", { desired_vcpus: 4 }]]);
    expect(calls(cpus(3), cpus(1))).toEqual([["vm.resize", { desired_vcpus: 1 }]]);
    expect(calls({}, cpus(5))).toEqual([]);
    expect(calls({}, cpus(2), undefined, { ...X86, architecture: "aarch64" })).toEqual([]);
  });
});

describe("memory", () => {
  const memory = (size: number, over: object = {}) => ({
    memory: { size: size * MIB, hotplug_size: 1024 * MIB, ...over },
  });
  test("more, in whole blocks and within what was booted", () => {
    expect(calls({}, memory(1024))).toEqual([["vm.resize", { desired_ram: 1024 * MIB }]]);
    expect(calls({}, memory(1536))).toEqual([["vm.resize", { desired_ram: 1536 * MIB }]]);
    expect(calls({}, memory(1664))).toEqual([]);
    expect(calls({}, memory(1000))).toEqual([]);
  });
  test("in zones, each for itself, and never all of it", () => {
    expect(calls(zoned(0), zoned(256))).toEqual([["vm.resize-zone", { id: "a", desired_ram: 768 * MIB }]]);
    expect(calls(zoned(256), zoned(0))).toEqual([["vm.resize-zone", { id: "a", desired_ram: 512 * MIB }]]);
    expect(calls(zoned(0), zoned(1280))).toEqual([]);
    // What a zone boots with is another boot's.
    expect(calls(zoned(0), zoned(0, 1024))).toEqual([]);
  });
});

test("a balloon is blown up and let go, where there is one", () => {
  const balloon = (size: number) => ({ balloon: { size: size * MIB } });
  expect(calls(balloon(0), balloon(128))).toEqual([["vm.resize", { desired_balloon: 128 * MIB }]]);
  expect(calls(balloon(128), balloon(0))).toEqual([["vm.resize", { desired_balloon: 0 }]]);
  expect(calls(balloon(128), balloon(128))).toEqual([]);
  expect(calls({}, balloon(128))).toEqual([]);
  expect(calls(balloon(128), {})).toEqual([]);
});

describe("a disk", () => {
  const sizes = (now: number, wanted: number) => ({ now: { data: now * MIB }, wanted: { data: wanted * MIB } });
  test("grows, and never shrinks", () => {
    expect(calls(disk(), disk(), sizes(64, 128))).toEqual([
      ["vm.resize-disk", { id: "data", desired_size: 128 * MIB }],
    ]);
    expect(calls(disk(), disk(), sizes(64, 64))).toEqual([]);
    expect(calls(disk(), disk(), sizes(128, 64))).toEqual([]);
    expect(calls(disk(), disk(), { now: {}, wanted: { data: 128 * MIB } })).toEqual([]);
    expect(calls(disk(), disk(), { now: { data: 64 * MIB }, wanted: {} })).toEqual([]);
  });
  test("that is to be another one does not grow", () => {
    expect(calls(disk(), disk({ path: "/other.raw" }), sizes(64, 128))).toEqual([]);
    expect(calls(disk(), disk({ readonly: true }), sizes(64, 128))).toEqual([]);
    expect(calls(disk({ readonly: false }), disk(), sizes(64, 128))).toHaveLength(1);
  });
  test("comes and goes by its id; the seed image comes and goes with a boot", () => {
    expect(calls({}, disk())).toEqual([["vm.add-disk", expect.objectContaining({ id: "data", path: "/d.raw" })]]);
    expect(calls(disk(), {})).toEqual([["vm.remove-device", { id: "data" }]]);
    expect([...calls(disk({ id: "seed.device" }), {}), ...calls({}, disk({ id: "seed.device" }))]).toEqual([]);
    expect(calls(disk({ id: undefined }), {})).toEqual([]);
  });
});

test("a vsock comes and goes, and what goes makes room before anything comes", () => {
  const vsock = { vsock: { id: "vs", cid: 3, socket: "/v" } };
  expect(calls({}, vsock)).toEqual([["vm.add-vsock", expect.objectContaining({ cid: 3, socket: "/v" })]]);
  expect(calls(vsock, {})).toEqual([["vm.remove-device", { id: "vs" }]]);
  expect(calls(vsock, vsock)).toEqual([]);
  expect(calls(vsock, { ...disk(), cpus: { boot_vcpus: 2, max_vcpus: 4 } }).map(([endpoint]) => endpoint)).toEqual([
    "vm.remove-device",
    "vm.resize",
    "vm.add-disk",
  ]);
});

test("the slot of a disk that goes is free for one that comes", () => {
  // 15 slots for disks, and the number in the name chooses.
  const at = (id: string, slot?: number) => ({
    disks: [{ id, path: "/d.raw", ...(slot === undefined ? {} : { pci_device_id: slot }) }],
  });
  const [[, alone] = []] = calls({}, at("d16"));
  const slot = (alone as { pci_device_id: number }).pci_device_id;
  expect(calls(at("d1", slot), at("d16"))).toEqual([
    ["vm.remove-device", { id: "d1" }],
    ["vm.add-disk", expect.objectContaining({ id: "d16", pci_device_id: slot })],
  ]);
  const both = { disks: [...at("d1", slot).disks, ...at("d16").disks] };
  expect(calls(at("d1", slot), both)).toEqual([
    ["vm.add-disk", expect.objectContaining({ id: "d16", pci_device_id: 16 + ((slot - 16 + 1) % 15) })],
  ]);
});

test("what cannot grow is not asked to: a disk behind a socket, one that is read only, an image on top of another", () => {
  const sizes = { now: { data: 64 * MIB }, wanted: { data: 128 * MIB } };
  const asked = (over: object) => calls(disk(over), disk(over), sizes);
  expect(asked({ vhost_user: true, vhost_socket: "/s" })).toEqual([]);
  expect(asked({ path: undefined })).toEqual([]);
  expect(asked({ readonly: true })).toEqual([]);
  expect(asked({ image_type: "Qcow2", backing_files: true })).toEqual([]);
  expect(asked({ image_type: "Vhdx" })).toEqual([]);
  expect(asked({ image_type: "Qcow2" })).toHaveLength(1);
});

test("a zone that was booted without room, or that is not there, is not asked to grow", () => {
  const without = (zones: object[]) =>
    ({ memory: { size: 0, hotplug_method: "VirtioMem", zones } }) as Partial<VmConfig>;
  const zone = { id: "a", size: 512 * MIB };
  const grown = { ...zone, hotplugged_size: 256 * MIB };
  expect(calls(without([zone]), without([grown]))).toEqual([]);
  expect(calls(without([{ ...zone, id: "b", hotplug_size: 1024 * MIB }]), zoned(256))).toEqual([]);
});
