/** Live changes, each as the plan would ask for it, on guests that go along with them and on guests that do not. */
import { truncate, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ownDiskFile } from "../../../src/agent/launch-command.ts";
import { diskStorage } from "../../../src/agent/storage/disk-storage.ts";
import { compareSpecs, toLiveConfig } from "../../../src/model/fields.ts";
import type { Disk, VmSpec } from "../../../src/model/vm-spec.ts";
import { judgeByRules } from "../../../src/reconcile/judge-by-rules.ts";
import {
  aCloudHypervisorWorld,
  type CloudHypervisorWorld,
  type TestGuest,
} from "../../support/cloud-hypervisor-world.ts";
import { patience } from "../../support/qemu-world.ts";
import { until } from "../../support/until.ts";

const blank = (name: string, sizeMiB: number): Disk => ({
  name,
  origin: { kind: "blank", sizeMiB },
  readonly: false,
});

/** As lifecycle does: new files first, then the guest; what it looks like afterwards must be what was asked for. */
async function change(guest: TestGuest, over: Partial<VmSpec>): Promise<void> {
  const spec = { ...guest.input.spec, ...over };
  await diskStorage.ensure(guest.input.paths, spec.disks, { kind: "real", grow: false, signal: patience() });
  await guest.running.update(spec, patience());
}

const live = (guest: TestGuest) => guest.running.liveConfig(patience());

/** What the guest's own rules, as its VM's report has them, promise of a change from what it is given now. */
async function promised(guest: TestGuest, wanted: VmSpec): Promise<readonly string[]> {
  const rules = (await guest.running.changeRules?.(patience())) ?? [];
  const differences = compareSpecs({ ...wanted, ...(await live(guest)) }, wanted);
  return [...new Set(differences.map((each) => judgeByRules(each, rules)?.class ?? `no rule for ${each.path}`))];
}

async function becomes(guest: TestGuest, over: Partial<VmSpec>): Promise<void> {
  // What is performed below was classified as such.
  expect(await promised(guest, { ...guest.input.spec, ...over })).toEqual(["live"]);
  await change(guest, over);
  const wanted = toLiveConfig({ ...guest.input.spec, ...over });
  expect(await live(guest)).toEqual(wanted);
  // An agent that comes later sees the same.
  await guest.reconnect();
  expect(await live(guest)).toEqual(wanted);
  // And asking again changes nothing.
  await guest.running.update({ ...guest.input.spec, ...over }, patience());
  expect(await live(guest)).toEqual(wanted);
}

const info = async (guest: TestGuest) => {
  const answer = await guest.running.abilities.raw?.({ method: "GET", path: "vm.info", body: null }, patience());
  return JSON.parse(new TextDecoder().decode(answer?.body)) as {
    config: Record<string, unknown>;
    device_tree: Record<string, { pci_bdf?: string }>;
  };
};

const placeOf = async (guest: TestGuest, id: string) => (await info(guest)).device_tree[`_virtio-pci-${id}`]?.pci_bdf;

describe("CPUs", () => {
  test("more, up to the room there is", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { cpus: { count: 1, max: 4 } });
    await becomes(guest, { cpus: { count: 3, max: 4 } });
  });

  test("fewer", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1", { cpus: { count: 3, max: 4 } });
    await becomes(guest, { cpus: { count: 1, max: 4 } });
  });

  test("more while the guest has not let go of others: busy", async () => {
    await using world = await aCloudHypervisorWorld({ removalMs: 400, knobs: { guest: { offlineMs: null } } });
    const guest = await world.boot("web-1", { cpus: { count: 3, max: 4 } });
    await change(guest, { cpus: { count: 1, max: 4 } });
    await expect(change(guest, { cpus: { count: 2, max: 4 } })).rejects.toMatchObject({
      code: "HYPERVISOR_BUSY",
      hint: expect.stringContaining("CPUs"),
    });
    expect((await guest.running.status(patience())).phase).toBe("running");
  });

  test("more as soon as the guest has let go of others", async () => {
    await using world = await aCloudHypervisorWorld({ knobs: { guest: { offlineMs: 300 } } });
    const guest = await world.boot("web-1", { cpus: { count: 3, max: 4 } });
    await change(guest, { cpus: { count: 1, max: 4 } });
    await becomes(guest, { cpus: { count: 2, max: 4 } });
  });

  test("more than there is room for waits for a reboot", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { cpus: { count: 1, max: 2 } });
    expect(await promised(guest, { ...guest.input.spec, cpus: { count: 4, max: 4 } })).toContain("reboot");
    await change(guest, { cpus: { count: 4, max: 4 } });
    expect(await live(guest)).toMatchObject({ cpus: { count: 1, max: 2 } });
  });
});

describe("memory", () => {
  test("more and less again, where the guest was booted with room", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const memory = { sizeMiB: 128, maxMiB: 512 };
    const guest = await world.boot("web-1", {
      memory,
      passthrough: { memory: { hotplug_method: "VirtioMem" } },
    });
    await becomes(guest, { memory: { ...memory, sizeMiB: 384 } });
    await becomes(guest, { memory: { ...memory, sizeMiB: 256 } });
  });

  test("more by ACPI, in steps of 128 MiB", async () => {
    await using world = await aCloudHypervisorWorld();
    const memory = { sizeMiB: 128, maxMiB: 512 };
    const guest = await world.boot("web-1", { memory, passthrough: { memory: { hotplug_method: "Acpi" } } });
    await becomes(guest, { memory: { ...memory, sizeMiB: 256 } });
    expect(await promised(guest, { ...guest.input.spec, memory: { ...memory, sizeMiB: 300 } })).toEqual(["reboot"]);
    await change(guest, { memory: { ...memory, sizeMiB: 300 } });
    expect(await live(guest)).toMatchObject({ memory: { sizeMiB: 256 } });
  });

  test("a zone of it", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const zones = (plugged: number) => ({
      memory: {
        size: 0,
        hotplug_method: "VirtioMem",
        hotplug_size: null,
        zones: [{ id: "near", size: 128 << 20, hotplug_size: 256 << 20, hotplugged_size: plugged << 20 }],
      },
    });
    const memory = { sizeMiB: 128, maxMiB: 128 };
    const guest = await world.boot("web-1", { memory, passthrough: zones(0) });
    await change(guest, { memory, passthrough: zones(128) });
    expect((await info(guest)).config.memory).toMatchObject({ zones: [{ id: "near", hotplugged_size: 128 << 20 }] });
  });

  test("a balloon, by the spec and by hand", async () => {
    await using world = await aCloudHypervisorWorld();
    const sized = (mib: number) => ({ passthrough: { balloon: { size: mib << 20 } } });
    const guest = await world.boot("web-1", { memory: { sizeMiB: 128, maxMiB: 128 }, ...sized(0) });
    await becomes(guest, sized(32));
    await guest.running.abilities.setBalloon?.(16, patience());
    expect((await info(guest)).config.balloon).toMatchObject({ size: 16 << 20 });
    expect((await live(guest)).passthrough).not.toEqual(sized(32).passthrough);
    await expect(guest.running.abilities.setBalloon?.(4096, patience())).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("no balloon where there is none", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    await expect(guest.running.abilities.setBalloon?.(16, patience())).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("disks", () => {
  test("grow", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await becomes(guest, { disks: [blank("root", 5)] });
  });

  test("never shrink", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { disks: [blank("root", 4)] });
    await guest.running.update({ ...guest.input.spec, disks: [blank("root", 2)] }, patience());
    expect((await live(guest)).disks).toEqual([blank("root", 4)]);
  });

  test("come and go, each to a place of its own, and come back to it", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
    await becomes(guest, { disks: [blank("root", 2), blank("data", 3)] });
    const place = await placeOf(guest, "data");
    expect(place).toBeDefined();
    await becomes(guest, { disks: [blank("root", 2)] });
    expect(await placeOf(guest, "data")).toBeUndefined();
    await becomes(guest, { disks: [blank("root", 2), blank("data", 3)] });
    expect(await placeOf(guest, "data")).toBe(place);
  });

  test("that the guest does not let go of are held, and what the process has is what is told", async () => {
    await using world = await aCloudHypervisorWorld({ removalMs: 700, knobs: { guest: { ejectMs: null } } });
    const guest = await world.boot("web-1", { disks: [blank("root", 2), blank("data", 1)] });
    const held = () => guest.running.heldDevices?.(patience());
    expect(await held()).toEqual([]);
    await change(guest, { disks: [blank("root", 2)] });
    expect((await info(guest)).config.disks).toHaveLength(1);
    expect((await live(guest)).disks).toEqual([blank("root", 2), blank("data", 1)]);
    const [asked] = (await held()) ?? [];
    expect(asked).toEqual({ path: "disks.data", since: expect.any(String) });
    await guest.reconnect();
    expect(await held()).toEqual([asked]);
    expect((await live(guest)).disks).toEqual([blank("root", 2), blank("data", 1)]);
    // Given the same disk again, it has it; it was asked for nothing.
    await change(guest, { disks: [blank("root", 2), blank("data", 1)] });
    await guest.does("reboot");
    await until("it is gone", async () => (await live(guest)).disks.length === 1);
    expect(await held()).toEqual([]);
    await becomes(guest, { disks: [blank("root", 2), blank("data", 1)] });
  });

  test("that the guest lets go of at last are held no more", async () => {
    await using world = await aCloudHypervisorWorld({ removalMs: 300, knobs: { guest: { ejectMs: 1500 } } });
    const guest = await world.boot("web-1", { disks: [blank("root", 2), blank("data", 1)] });
    await change(guest, { disks: [blank("root", 2)] });
    expect(await guest.running.heldDevices?.(patience())).toHaveLength(1);
    await until("it lets go", async () => (await guest.running.heldDevices?.(patience()))?.length === 0);
    expect((await live(guest)).disks).toEqual([blank("root", 2)]);
  });

  test("that somebody else took away and the guest holds are told as well", async () => {
    await using world = await aCloudHypervisorWorld({ knobs: { guest: { ejectMs: null } } });
    const guest = await world.boot("web-1", { disks: [blank("root", 2), blank("data", 1)] });
    const body = Buffer.from(JSON.stringify({ id: "data" }));
    await guest.running.abilities.raw?.({ method: "PUT", path: "vm.remove-device", body }, patience());
    expect(await guest.running.heldDevices?.(patience())).toMatchObject([{ path: "disks.data" }]);
    expect((await live(guest)).disks).toEqual([blank("root", 2), blank("data", 1)]);
  });

  test("that are let go of late are waited for, also if the event of it is lost", async () => {
    await using world = await aCloudHypervisorWorld({
      knobs: { guest: { ejectMs: 300 }, loseEvents: ["vm/device-removed"] },
    });
    const guest = await world.boot("web-1", { disks: [blank("root", 2), blank("data", 1)] });
    await becomes(guest, { disks: [blank("root", 2)] });
  });

  test("one that cannot be added does not keep the rest from being changed", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", { cpus: { count: 1, max: 2 }, disks: [blank("root", 2)] });
    const missing: Disk = {
      name: "gone",
      origin: { kind: "external", url: `file://${join(world.folder, "nowhere.raw")}` },
      readonly: false,
    };
    await expect(
      change(guest, { cpus: { count: 2, max: 2 }, disks: [blank("root", 2), missing, blank("data", 1)] }),
    ).rejects.toMatchObject({ code: "HYPERVISOR_FAILED", message: expect.stringContaining("No such file") });
    expect(await live(guest)).toMatchObject({
      cpus: { count: 2, max: 2 },
      disks: [blank("root", 2), blank("data", 1)],
    });
  });
});

describe("devices of the fragment", () => {
  /** Somebody who listens where a back end would. */
  async function aSocket(
    world: CloudHypervisorWorld,
    name: string,
  ): Promise<AsyncDisposable & { readonly path: string }> {
    const path = join(world.folder, name);
    const sockets: Socket[] = [];
    const server: Server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return {
      path,
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      },
    };
  }

  const shared = { memory: { shared: true } };

  test("shared folders and vhost-user devices", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    await using folder = await aSocket(world, "fs.sock");
    await using device = await aSocket(world, "vu.sock");
    const guest = await world.boot("web-1", { passthrough: shared });
    await becomes(guest, { passthrough: { ...shared, fs: [{ tag: "share", socket: folder.path }] } });
    await becomes(guest, { passthrough: shared });
    await becomes(guest, {
      passthrough: { ...shared, generic_vhost_user: [{ socket: device.path, queue_sizes: [128], device_type: 2 }] },
    });
  });

  test("that the guest does not let go of are held as they were", async () => {
    await using world = await aCloudHypervisorWorld({
      double: true,
      removalMs: 300,
      knobs: { guest: { ejectMs: null } },
    });
    await using folder = await aSocket(world, "fs.sock");
    const socket = join(world.folder, "vsock.sock");
    const passthrough = { ...shared, fs: [{ tag: "share", socket: folder.path }], vsock: { cid: 7, socket } };
    const guest = await world.boot("web-1", { passthrough });
    await change(guest, { passthrough: shared });
    expect(await guest.running.heldDevices?.(patience())).toMatchObject([
      { path: "passthrough.fs" },
      { path: "passthrough.vsock" },
    ]);
    await guest.reconnect();
    expect((await live(guest)).passthrough).toMatchObject({ fs: [{ tag: "share" }], vsock: { cid: 7 } });
  });

  test("persistent memory, and a vsock", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const file = join(world.folder, "pmem");
    await writeFile(file, "");
    await truncate(file, 4 << 20);
    const guest = await world.boot("web-1");
    await becomes(guest, { passthrough: { pmem: [{ file, size: 4 << 20 }] } });
    await becomes(guest, { passthrough: {} });
    const socket = join(guest.input.paths.runFolder, "vsock.sock");
    await becomes(guest, { passthrough: { vsock: { cid: 7, socket } } });
    await becomes(guest, { passthrough: {} });
  });

  test("what only a boot reads is left alone, and nothing is said to be otherwise", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1");
    expect(await promised(guest, { ...guest.input.spec, passthrough: { watchdog: true } })).toEqual(["reboot"]);
    await change(guest, { passthrough: { watchdog: true } });
    expect(await live(guest)).toEqual(toLiveConfig(guest.input.spec));
  });

  test("VFIO, vfio-user and vDPA devices are asked for as they are, and refused as Cloud Hypervisor refuses them", async () => {
    await using world = await aCloudHypervisorWorld({ double: true });
    const guest = await world.boot("web-1", { passthrough: shared });
    const nowhere = join(world.folder, "nowhere");
    for (const [passthrough, endpoint] of [
      [{ devices: [{ path: nowhere }] }, "vm.add-device"],
      [{ user_devices: [{ socket: nowhere }] }, "vm.add-user-device"],
      [{ vdpa: [{ path: nowhere, num_queues: 1 }] }, "vm.add-vdpa"],
    ] as const)
      await expect(change(guest, { passthrough: { ...shared, ...passthrough } })).rejects.toMatchObject({
        code: "HYPERVISOR_FAILED",
        message: expect.stringContaining(`refused ${endpoint}`),
      });
    expect(await live(guest)).toEqual(toLiveConfig(guest.input.spec));
  });
});

test("a NIC comes and goes", async () => {
  await using world = await aCloudHypervisorWorld({ double: true });
  const nic = {
    name: "eth0",
    network: "front",
    attachment: { kind: "bridge", bridge: "br0" },
    mac: "52:54:00:00:00:01",
    address: null,
  } as const;
  const guest = await world.boot("web-1");
  await becomes(guest, { nics: [nic] });
  await becomes(guest, { nics: [] });
});

test("the disk's file is the agent's own", async () => {
  await using world = await aCloudHypervisorWorld();
  const guest = await world.boot("web-1", { disks: [blank("root", 2)] });
  const { config } = await info(guest);
  expect(config.disks).toMatchObject([{ id: "root", path: ownDiskFile(guest.input.paths, blank("root", 2)) }]);
});
