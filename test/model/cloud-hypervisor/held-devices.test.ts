/** Devices that a guest was asked to let go of are its own until its process has closed them. */
import { expect, test } from "vitest";
import { heldDevices, listedDevices, withHeldDevices } from "../../../src/model/cloud-hypervisor/held-devices.ts";
import type { VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";

const disk = { id: "data", path: "/data.raw" };
const vsock = { id: "vs", cid: 3, socket: "/v" };
const BEFORE = { disks: [{ id: "root", path: "/root.raw" }, disk], vsock } as VmConfig;
const AFTER = { disks: [{ id: "root", path: "/root.raw" }] } as VmConfig;
const tree = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, {}])) as never;

test("what left the configuration and is in the tree is held, and only that", () => {
  const known = listedDevices(BEFORE);
  expect(known.map(({ list, id }) => [list, id])).toEqual([
    ["disks", "root"],
    ["disks", "data"],
    ["vsock", "vs"],
  ]);
  const held = (config: VmConfig, ...ids: string[]) =>
    heldDevices({ config, device_tree: tree(...ids) }, known).map(({ id }) => id);
  expect(held(AFTER, "root", "data", "vs")).toEqual(["data", "vs"]);
  expect(held(AFTER, "root", "data")).toEqual(["data"]);
  expect(held(AFTER, "root")).toEqual([]);
  expect(held(BEFORE, "root", "data", "vs")).toEqual([]);
  expect(heldDevices({ config: AFTER }, known)).toEqual([]);
});

test("of two that had one id the first is held", () => {
  const [first, second] = [listedDevices({ disks: [disk] }), listedDevices({ disks: [{ ...disk, path: "/other" }] })];
  expect(heldDevices({ config: AFTER, device_tree: tree("data") }, [...first, ...second])).toEqual(first);
});

test("a guest has what it holds beside what it is configured with", () => {
  const held = heldDevices({ config: AFTER, device_tree: tree("data", "vs") }, listedDevices(BEFORE));
  expect(withHeldDevices(AFTER, held)).toEqual(BEFORE);
  expect(withHeldDevices(AFTER, [])).toBe(AFTER);
  expect(withHeldDevices({}, held)).toEqual({ disks: [disk], vsock });
});

test("a device without an id cannot be asked for", () => {
  expect(listedDevices({ disks: [{ path: "/a" }], net: [{ id: "eth0", tap: "t" }] }).map(({ id }) => id)).toEqual([
    "eth0",
  ]);
});
