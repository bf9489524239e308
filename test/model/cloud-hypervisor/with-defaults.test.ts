/** Two configurations that mean the same are the same once defaults are filled in. */
import { expect, test } from "vitest";
import type { VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import { fragmentFor, withDefaults } from "../../../src/model/cloud-hypervisor/with-defaults.ts";

test.each<[string, VmConfig, VmConfig]>([
  ["nothing, an empty list and null", {}, { disks: [], net: null } as unknown as VmConfig],
  ["the terminal of a serial line", { serial: { mode: "Pty" } }, { serial: { mode: "Pty", file: "/dev/pts/3" } }],
  ["the terminal of a console", { console: { mode: "Pty" } }, { console: { mode: "Pty", file: "/dev/pts/3" } }],
  [
    "the terminal of the debug console",
    { debug_console: { mode: "Pty" } },
    { debug_console: { mode: "Pty", file: "/dev/pts/3" } },
  ],
  ["capitals of a MAC", { net: [{ mac: "02:00:00:00:00:aa" }] }, { net: [{ mac: "02:00:00:00:00:AA" }] }],
  [
    "capitals of the host's",
    { net: [{ host_mac: "02:00:00:00:00:aa" }] },
    { net: [{ host_mac: "02:00:00:00:00:AA" }] },
  ],
  [
    "the older words of version 52",
    { platform: { system_serial_number: "a", system_uuid: "b" } },
    { platform: { serial_number: "a", uuid: "b" } },
  ],
  ["a command line for firmware", { payload: { firmware: "/f" } }, { payload: { firmware: "/f", cmdline: "x" } }],
  [
    "an IOMMU that a device asks for",
    { rng: { src: "/r", iommu: true }, iommu: true },
    { rng: { src: "/r", iommu: true } },
  ],
  ["gdb: false", {}, { gdb: false } as VmConfig],
])("%s", (_, one, other) => {
  expect(withDefaults(other)).toEqual(withDefaults(one));
});

test.each<[string, VmConfig, VmConfig]>([
  [
    "the file of a serial line in a file",
    { serial: { mode: "File", file: "/a" } },
    { serial: { mode: "File", file: "/b" } },
  ],
  ["the file of a console", { console: { mode: "File", file: "/a" } }, { console: { mode: "File", file: "/b" } }],
  ["the command line of a kernel", { payload: { kernel: "/k" } }, { payload: { kernel: "/k", cmdline: "x" } }],
  ["gdb", {}, { gdb: true } as VmConfig],
  ["an IOMMU for whole segments", {}, { platform: { num_pci_segments: 1, iommu_segments: [0] } }],
])("but not %s", (_, one, other) => {
  expect(withDefaults(other)).not.toEqual(withDefaults(one));
});

test("what a fragment says of something new leaves out what would be filled in again", () => {
  const [bare, full] = [{}, { disks: [{ id: "a", path: "/a", queue_size: 256 }] }].map(withDefaults) as [
    VmConfig,
    VmConfig,
  ];
  expect(fragmentFor("disks", bare.disks, full.disks)).toEqual([
    expect.objectContaining({ id: "a", path: "/a", queue_size: 256 }),
  ]);
  expect(fragmentFor("disks", bare.disks, full.disks)).toEqual([
    expect.not.objectContaining({ readonly: false, num_queues: 1 }),
  ]);
  expect(fragmentFor("rng", bare.rng, bare.rng)).toBeUndefined();
  expect(fragmentFor("pvpanic", false, true)).toBe(true);
  const limited = withDefaults({ disks: [{ id: "a", rate_limiter_config: { ops: { size: 1, refill_time: 2 } } }] });
  expect(fragmentFor("disks", bare.disks, limited.disks)).toEqual([
    { id: "a", rate_limiter_config: { ops: { size: 1, refill_time: 2 } } },
  ]);
});
