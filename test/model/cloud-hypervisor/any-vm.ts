/** Any VM that Cloud Hypervisor can run, as a spec, and what `vm.info` says of it: for property tests. */
import fc from "fast-check";
import type { VmConfigPlaces } from "../../../src/model/cloud-hypervisor/places.ts";
import { toVmConfig } from "../../../src/model/cloud-hypervisor/to-vm-config.ts";
import type { VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import type { Disk, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aSpec } from "../../support/a-fleet.ts";
import { releaseOf } from "../../support/cloud-hypervisor-double/release.ts";
import { decode, encode } from "../../support/cloud-hypervisor-double/shapes.ts";
import { vmConfigShape } from "../../support/cloud-hypervisor-double/vm-config.ts";

export const MIB = 1024 * 1024;
export const VERSIONS = ["50.0", "51.1", "52.0", "53.0", "54.0"] as const;

export const PLACES: VmConfigPlaces = {
  kernel: (path) => (path === "builtin:tiny" ? "/usr/lib/odorobo/tiny" : path),
  firmware: (name) => (name.startsWith("/") ? name : `/usr/share/firmware/${name}.fd`),
  ownDisk: ({ name, origin }) => `/var/lib/vms/web-1/${name}.${origin.kind === "image" ? "qcow2" : "raw"}`,
  seedImage: "/var/lib/vms/web-1/cloud-init.iso",
  tap: (nic) => `tap-${nic}`.slice(0, 15),
  landlock: null,
};

export const aChSpec = (over: Partial<VmSpec> = {}): VmSpec =>
  aSpec({ hypervisor: "cloud-hypervisor", memory: { sizeMiB: 512, maxMiB: 512 }, ...over });

export const blank = (name: string, sizeMiB = 64): Disk => ({
  name,
  origin: { kind: "blank", sizeMiB },
  readonly: false,
});

export const overlay = (name: string, sizeMiB = 2048): Disk => ({
  name,
  origin: { kind: "image", image: "debian", path: "/images/debian.qcow2", format: "qcow2", sizeMiB },
  readonly: false,
});

export const external = (name: string, path = `/srv/${name}.img`): Disk => ({
  name,
  origin: { kind: "external", url: `file://${path}` },
  readonly: false,
});

export const nic = (name: string, last = 1): Nic => ({
  name,
  network: "lan",
  attachment: { kind: "bridge", bridge: "br0" },
  mac: `52:54:00:00:00:${last.toString(16).padStart(2, "0")}`,
  address: null,
});

export const configOf = (over: Partial<VmSpec> = {}, places: VmConfigPlaces = PLACES): VmConfig =>
  toVmConfig({ name: "web-1", spec: aChSpec(over), places });

/**
 * What `vm.info` gives back for a config that was sent: the double's reading of the API, which shares nothing with the code under
 * test. Ids and MAC addresses that nobody sent are made up as the real one does.
 */
export function asVmInfoSays(config: VmConfig, version = "53.0"): VmConfig {
  const release = releaseOf(version);
  const shape = vmConfigShape(release.major);
  return encode(shape, decode(shape, JSON.stringify(config), release), release) as VmConfig;
}

const names = fc.uniqueArray(fc.constantFrom("root", "data", "data1", "data2", "logs", "swap", "a", "b"), {
  maxLength: 5,
});

const anyDisk = (name: string): fc.Arbitrary<Disk> =>
  fc.oneof(
    fc.constantFrom(64, 128, 4096).map((size) => blank(name, size)),
    fc.constantFrom(1024, 2048).map((size) => overlay(name, size)),
    fc
      .tuple(fc.constantFrom("img", "qcow2", "vhd", "raw"), fc.boolean())
      .map(([ending, readonly]) => ({ ...external(name, `/srv/${name}.${ending}`), readonly })),
  );

const anyNics = fc
  .uniqueArray(fc.constantFrom("eth0", "eth1", "eth2", "lan", "dmz"), { maxLength: 3 })
  .map((list) => list.map((name, index) => nic(name, index + 1)));

/** Sections that are right whatever the rest of the spec is; `hotplug_method` and zones change what memory means. */
const anyFragment = (disks: readonly Disk[], sizeMiB: number, room: number): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    {
      watchdog: fc.boolean(),
      memory: fc.constantFrom(
        { shared: true },
        { hugepages: true, hugepage_size: 2 * MIB, shared: true },
        { hotplug_method: "VirtioMem", shared: true },
        {
          shared: true,
          hotplug_method: "VirtioMem",
          zones: [
            {
              id: "z0",
              size: (sizeMiB - 2) * MIB,
              shared: true,
              hotplug_size: (room + 2) * MIB,
              hotplugged_size: 2 * MIB,
            },
          ],
        },
      ),
      balloon: fc.record({ size: fc.constantFrom(0, 16 * MIB), deflate_on_oom: fc.boolean() }),
      fs: fc
        .uniqueArray(fc.constantFrom("home", "src"), { minLength: 1 })
        .map((tags) => tags.map((tag) => ({ tag, socket: `/run/${tag}.sock` }))),
      pmem: fc.constantFrom(
        [{ file: "/srv/pmem", size: 4 * MIB }],
        [{ file: "/srv/pmem", discard_writes: true, iommu: true }],
      ),
      vsock: fc.record({ cid: fc.constantFrom(3, 4), socket: fc.constant("/run/vsock.sock") }),
      vdpa: fc.constant([{ path: "/dev/vhost-vdpa-0", num_queues: 1 }]),
      devices: fc.constant([{ path: "/sys/bus/pci/devices/0000:01:00.0" }]),
      net: fc.constantFrom(
        [{ tap: "hand0", mac: "52:54:00:00:01:00" }],
        [{ id: "byhand", tap: "hand0" }],
        [{ id: "byhand", tap: "hand0", mac: "52:54:00:AA:01:00", mtu: 9000 }],
      ),
      disks: fc.constantFrom(
        [{ id: "extra", path: "/srv/extra.img" }],
        disks.slice(0, 1).map(({ name }) => ({ id: name, direct: true, queue_size: 256 })),
        disks.slice(0, 1).map(({ name }) => ({ id: name, serial: null })),
      ),
      rate_limit_groups: fc.constant([{ id: "slow", rate_limiter_config: { ops: { size: 10, refill_time: 1000 } } }]),
      platform: fc.constantFrom({ num_pci_segments: 2 }, { oem_strings: ["a", "b"] }, { serial_number: "ds=nocloud" }),
      serial: fc.constantFrom({ mode: "Off", socket: null }, { mode: "Pty", socket: null }),
      console: fc.constantFrom({ mode: "Null" }, { mode: "Pty" }),
      rng: fc.constantFrom({ src: "/dev/hwrng" }, { iommu: true }),
      pvpanic: fc.constantFrom(false, null),
    },
    { requiredKeys: [] },
  );

export interface AnyVm {
  readonly spec: VmSpec;
  readonly places: VmConfigPlaces;
}

export const anyVm: fc.Arbitrary<AnyVm> = fc
  .record({
    cpus: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 4 })),
    memory: fc.tuple(fc.constantFrom(128, 200, 512, 4096), fc.constantFrom(0, 128, 256, 1000, 4096)),
    boot: fc.constantFrom<VmSpec["boot"]>(
      { kind: "firmware", firmware: "default" },
      { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
      { kind: "kernel", kernel: "/boot/vmlinux", initramfs: "/boot/initrd", cmdline: "root=/dev/vda1 quiet" },
    ),
    disks: names.chain((list) => fc.tuple(...list.map(anyDisk)).map((disks) => [...disks])),
    nics: anyNics,
    cloudInit: fc.constantFrom(null, { userData: null, networkConfig: null, sshKeys: ["ssh-ed25519 A a"] }),
    landlock: fc.constantFrom(null, [], [{ path: "/var/lib/vms/web-1", access: "rw" }]),
  })
  .chain(({ cpus: [count, more], memory: [sizeMiB, room], landlock, ...rest }) =>
    anyFragment(rest.disks, sizeMiB, room).map((fragment) => {
      const passthrough = consistent(fragment, sizeMiB);
      const spec = aChSpec({
        ...rest,
        cpus: { count, max: count + more },
        memory: { sizeMiB, maxMiB: sizeMiB + room },
        passthrough,
      });
      return { spec, places: { ...PLACES, landlock } };
    }),
  );

/** Shared folders need shared memory, huge pages whole ones. */
function consistent(fragment: Record<string, unknown>, sizeMiB: number): Record<string, unknown> {
  const { fs, memory, balloon, ...rest } = fragment;
  return {
    ...rest,
    ...(memory === undefined ? {} : { memory }),
    ...(fs === undefined || memory === undefined ? {} : { fs }),
    ...(balloon === undefined || sizeMiB < 64 ? {} : { balloon }),
  };
}
