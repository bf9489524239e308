/** What holds for any VM: what is sent is what is seen, and what is seen can be said again. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { checkVmConfig } from "../../../src/model/cloud-hypervisor/check-vm-config.ts";
import { fromVmConfig } from "../../../src/model/cloud-hypervisor/from-vm-config.ts";
import { toLiveConfig } from "../../../src/model/cloud-hypervisor/live-config.ts";
import { slotsOf } from "../../../src/model/cloud-hypervisor/place-devices.ts";
import { toVmConfig } from "../../../src/model/cloud-hypervisor/to-vm-config.ts";
import type { PciDevice, VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import { withDefaults } from "../../../src/model/cloud-hypervisor/with-defaults.ts";
import { compareLive } from "../../../src/model/fields.ts";
import { validateConfig } from "../../support/cloud-hypervisor-double/validate-config.ts";
import { aChSpec, anyVm, asVmInfoSays, PLACES, VERSIONS } from "./any-vm.ts";

// Many VMs on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const RUNS = { numRuns: 300 };

test("of an unchanged guest vm.info says what the spec says, in every version", () => {
  fc.assert(
    fc.property(anyVm, fc.constantFrom(...VERSIONS), ({ spec, places }, version) => {
      const sent = toVmConfig({ name: "web-1", spec, places, version });
      const live = toLiveConfig(asVmInfoSays(sent, version), { spec, places, version });
      expect(compareLive(live, spec)).toEqual([]);
      expect(live.passthrough).toEqual(spec.passthrough);
    }),
    RUNS,
  );
});

test("what Cloud Hypervisor makes up and changes by itself is no drift", () => {
  fc.assert(
    fc.property(anyVm, ({ spec, places }) => {
      const sent = toVmConfig({ name: "web-1", spec, places });
      const said = asVmInfoSays(sent);
      const shown: VmConfig = {
        ...said,
        // The terminal of a Pty, which changes at every boot.
        ...(said.serial?.mode === "Pty" ? { serial: { mode: "Pty", file: "/dev/pts/7" } } : {}),
        ...(said.net === undefined ? {} : { net: said.net.map((net) => ({ ...net, host_mac: "0a:00:00:00:00:01" })) }),
        iommu: said.iommu === true || [said.rng, ...(said.pmem ?? [])].some((device) => device?.iommu === true),
      };
      expect(compareLive(toLiveConfig(shown, { spec, places }), spec)).toEqual([]);
    }),
    RUNS,
  );
});

test("a spec makes a config that nothing is wrong with, here and at Cloud Hypervisor", () => {
  fc.assert(
    fc.property(anyVm, ({ spec, places }) => {
      const config = toVmConfig({ name: "web-1", spec, places: { ...places, landlock: null } });
      expect(checkVmConfig(config, { version: null })).toEqual([]);
      expect(() => validateConfig(asVmInfoSays(config) as Parameters<typeof validateConfig>[0])).not.toThrow();
    }),
    RUNS,
  );
});

test("no version is told anything that it would silently ignore", () => {
  fc.assert(
    fc.property(anyVm, fc.constantFrom(...VERSIONS), ({ spec, places }, version) => {
      const { passthrough: _, ...own } = spec;
      const config = toVmConfig({ name: "web-1", spec: { ...own, passthrough: {} }, places, version });
      expect(checkVmConfig(config, { version })).toEqual([]);
    }),
    RUNS,
  );
});

/** Ids and slots are given to devices that had none: that is not another VM. */
function withoutPlaces(config: VmConfig): unknown {
  const bare = (device: PciDevice) => {
    const { id: _id, pci_segment: _segment, pci_device_id: _slot, ...rest } = device;
    return rest;
  };
  return Object.fromEntries(
    Object.entries(withDefaults(config)).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(bare) : typeof value === "object" && value !== null ? bare(value) : value,
    ]),
  );
}

test("a config that a person wrote means the same VM when it was a spec in between", () => {
  fc.assert(
    fc.property(anyVm, fc.boolean(), ({ spec, places }, bare) => {
      const written = toVmConfig({ name: "web-1", spec, places: { ...places, landlock: null } });
      // People give no ids, and leave out what has a default.
      const config = bare ? { ...written, disks: written.disks?.map(({ id: _, ...disk }) => disk) ?? [] } : written;
      const part = fromVmConfig(config);
      const again = toVmConfig({ name: "web-1", spec: aChSpec(part), places: PLACES });
      const ours = { ...config, serial: again.serial, console: again.console } as VmConfig;
      const given = config.serial?.mode === "Off" ? { ...ours, serial: config.serial } : ours;
      expect(withoutPlaces({ ...again, disks: again.disks ?? [] })).toEqual(
        withoutPlaces({ pvpanic: true, ...given, disks: given.disks ?? [] }),
      );
      expect(again.console?.mode).toBe(config.console?.mode ?? "Off");
    }),
    RUNS,
  );
});

test("a spec that came from a config comes back from its own config", () => {
  fc.assert(
    fc.property(anyVm, ({ spec, places }) => {
      const part = fromVmConfig(toVmConfig({ name: "web-1", spec, places: { ...places, landlock: null } }));
      const handMade = aChSpec(part);
      const config = toVmConfig({ name: "web-1", spec: handMade, places: PLACES });
      const live = toLiveConfig(asVmInfoSays(config), { spec: handMade, places: PLACES });
      expect(compareLive(live, handMade)).toEqual([]);
    }),
    RUNS,
  );
});

test("no two devices share a slot, and a device stays where it is when others come and go at the end", () => {
  fc.assert(
    fc.property(anyVm, ({ spec, places }) => {
      const before = slotsOf(toVmConfig({ name: "web-1", spec: { ...spec, passthrough: {} }, places }));
      const taken = [...before.values()].map(({ segment, slot }) => `${segment}:${slot}`);
      expect(new Set(taken).size).toBe(taken.length);
      const fewer = { ...spec, passthrough: {}, disks: spec.disks.slice(0, -1), nics: spec.nics.slice(0, -1) };
      const after = slotsOf(toVmConfig({ name: "web-1", spec: fewer, places }));
      const [left, kept] = [after, before].map((slots) => fewer.nics.map(({ name }) => slots.get(name)));
      expect(left).toEqual(kept);
      const known = slotsOf(toVmConfig({ name: "web-1", spec: fewer, places: { ...places, slots: before } }));
      for (const [id, place] of known) expect(place).toEqual(before.get(id));
    }),
    RUNS,
  );
});
