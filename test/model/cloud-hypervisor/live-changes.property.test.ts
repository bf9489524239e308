/** The rules promise, the calls perform: for any guest and any other spec, exactly what is promised live comes true live. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { changeRules } from "../../../src/model/cloud-hypervisor/change-rules.ts";
import { totalRam } from "../../../src/model/cloud-hypervisor/check-machine.ts";
import { checkVmConfig } from "../../../src/model/cloud-hypervisor/check-vm-config.ts";
import { type LiveCall, planLiveChanges } from "../../../src/model/cloud-hypervisor/live-changes.ts";
import { toLiveConfig } from "../../../src/model/cloud-hypervisor/live-config.ts";
import { slotsOf } from "../../../src/model/cloud-hypervisor/place-devices.ts";
import { toVmConfig } from "../../../src/model/cloud-hypervisor/to-vm-config.ts";
import type { PciDevice, VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import { compareLive } from "../../../src/model/fields.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import { judgeByRules } from "../../../src/reconcile/judge-by-rules.ts";
import { anyVm, asVmInfoSays, MIB } from "./any-vm.ts";

// Many VMs on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const LISTS: Readonly<Record<string, string>> = {
  "vm.add-disk": "disks",
  "vm.add-net": "net",
  "vm.add-fs": "fs",
  "vm.add-generic-vhost-user": "generic_vhost_user",
  "vm.add-pmem": "pmem",
  "vm.add-vdpa": "vdpa",
  "vm.add-device": "devices",
  "vm.add-user-device": "user_devices",
};

interface Guest {
  readonly config: VmConfig;
  readonly diskBytes: Readonly<Record<string, number>>;
}

/** What a call does to a guest that lets go and takes at once, as Cloud Hypervisor keeps book of it. */
function make({ config, diskBytes }: Guest, call: LiveCall): Guest {
  const memory = config.memory ?? { size: 0 };
  switch (call.endpoint) {
    case "vm.resize": {
      const { desired_vcpus, desired_ram, desired_balloon } = call.body;
      const cpus =
        desired_vcpus === undefined ? config.cpus : { max_vcpus: 1, ...config.cpus, boot_vcpus: desired_vcpus };
      const resized =
        desired_ram === undefined
          ? memory
          : memory.hotplug_method === "VirtioMem"
            ? { ...memory, hotplugged_size: desired_ram - memory.size }
            : { ...memory, size: desired_ram };
      const balloon = desired_balloon === undefined ? config.balloon : { ...config.balloon, size: desired_balloon };
      return {
        diskBytes,
        config: {
          ...config,
          ...(cpus && { cpus }),
          memory: resized,
          ...(balloon && { balloon }),
        },
      };
    }
    case "vm.resize-zone": {
      const { id, desired_ram } = call.body;
      const zones = (memory.zones ?? []).map((zone) =>
        zone.id === id ? { ...zone, hotplugged_size: desired_ram - zone.size } : zone,
      );
      return { diskBytes, config: { ...config, memory: { ...memory, zones } } };
    }
    case "vm.resize-disk":
      return {
        config,
        diskBytes: { ...diskBytes, [call.body.id]: call.body.desired_size },
      };
    case "vm.remove-device": {
      const { vsock, ...rest } = config;
      const left = Object.entries(rest).map(([key, value]) => [
        key,
        Array.isArray(value) ? value.filter((item: PciDevice) => item?.id !== call.body.id) : value,
      ]);
      return {
        diskBytes,
        config: {
          ...Object.fromEntries(left),
          ...(vsock && vsock.id !== call.body.id ? { vsock } : {}),
        },
      };
    }
    case "vm.add-vsock":
      return { diskBytes, config: { ...config, vsock: call.body } };
    default: {
      const list = (LISTS[call.endpoint] ?? "") as "disks";
      expect((config[list] ?? []).map(({ id }) => id)).not.toContain((call.body as PciDevice).id);
      return {
        diskBytes,
        config: { ...config, [list]: [...(config[list] ?? []), call.body] },
      };
    }
  }
}

/** Whether disks or NICs were plugged or unplugged: then the driver knows the section's list as it was asked for. */
const touched = (calls: readonly LiveCall[], now: VmConfig, key: string): boolean =>
  (key === "disks" || key === "net") &&
  calls.some(({ endpoint, body }) =>
    endpoint === "vm.remove-device"
      ? (now[key] ?? []).some(({ id }) => id === body.id)
      : endpoint === (key === "disks" ? "vm.add-disk" : "vm.add-net"),
  );

const ofSection = ({ passthrough }: VmSpec): readonly string[] => [
  "passthrough.disks",
  "passthrough.net",
  ...idsIn(passthrough.disks).map((id) => `disks.${id}`),
  ...idsIn(passthrough.net).map((id) => `nics.${id}`),
];
const idsIn = (list: unknown): readonly string[] =>
  ((list ?? []) as readonly PciDevice[]).flatMap(({ id }) => id ?? []);

const bytesOf = (spec: VmSpec): Readonly<Record<string, number>> =>
  Object.fromEntries(
    spec.disks.flatMap(({ name, origin }) => (origin.kind === "external" ? [] : [[name, origin.sizeMiB * MIB]])),
  );

const FIELDS = ["cpus", "memory", "disks", "nics", "boot", "cloudInit", "passthrough"] as const;

const anyChange = fc.record({
  before: anyVm,
  other: anyVm,
  changed: fc.subarray([...FIELDS], { minLength: 1 }),
  architecture: fc.constantFrom("x86_64" as const, "aarch64" as const),
  version: fc.constantFrom("53.0", "54.0"),
});

test("what the rules call live is done, and what they call a reboot is left alone", () => {
  fc.assert(
    fc.property(anyChange, ({ before: { spec, places }, other, changed, architecture, version }) => {
      const wanted: VmSpec = {
        ...spec,
        ...Object.fromEntries(changed.map((field) => [field, other.spec[field]])),
      };
      const now = asVmInfoSays(toVmConfig({ name: "web-1", spec, places, version }), version);
      const facts = {
        version,
        architecture,
        memoryMaxMiB: spec.memory.maxMiB,
      };
      const rules = changeRules(now, facts);
      const target = toVmConfig({
        name: "web-1",
        spec: wanted,
        places: { ...places, slots: slotsOf(now) },
        version,
      });
      const sizes = { now: bytesOf(spec), wanted: bytesOf(wanted) };
      // Zones of another size than the VM, settings of a disk that is no longer there, a balloon larger than the memory: no such spec gets this far.
      fc.pre(totalRam(target.memory) === wanted.memory.sizeMiB * MIB);
      fc.pre(checkVmConfig({ ...target, landlock_rules: [] }, { version }).length === 0);

      const start: Guest = { config: now, diskBytes: sizes.now };
      const calls = planLiveChanges(now, target, facts, sizes);
      const after = calls.reduce(make, start);

      const booted = toLiveConfig(now, {
        spec,
        places,
        version,
        diskBytes: sizes.now,
      });
      const owed = compareLive(booted, wanted).map((difference) => ({
        difference,
        verdict: judgeByRules(difference, rules)?.class ?? "reboot",
      }));
      // What was asked for is known in its own words, as the driver keeps it.
      const live = owed.filter(({ verdict }) => verdict === "live").map(({ difference }) => difference.path);
      const known: VmSpec = {
        ...spec,
        disks: [...spec.disks, ...wanted.disks.filter(({ name }) => !spec.disks.some((disk) => disk.name === name))],
        nics: [...spec.nics, ...wanted.nics.filter(({ name }) => !spec.nics.some((nic) => nic.name === name))],
        passthrough: Object.fromEntries(
          [...new Set([...Object.keys(spec.passthrough), ...Object.keys(wanted.passthrough)])].flatMap((key) => {
            const isAsked = live.includes(`passthrough.${key}`) || touched(calls, now, key);
            const source = isAsked ? wanted.passthrough : spec.passthrough;
            return Object.hasOwn(source, key) ? [[key, source[key]]] : [];
          }),
        ),
      };
      const left = compareLive(
        toLiveConfig(asVmInfoSays(after.config, version), {
          spec: known,
          places,
          version,
          diskBytes: after.diskBytes,
        }),
        wanted,
      ).map(({ path }) => path);

      for (const { difference, verdict } of owed) {
        if (verdict === "live") expect(left, `${difference.path} was promised live`).not.toContain(difference.path);
        // A disk or NIC of the section's own cannot be told from settings of another, so less is promised than is done.
        else if (!/^passthrough\.(disks|net)$/.test(difference.path))
          expect(left, `${difference.path} was promised not to be touched`).toContain(difference.path);
      }
      // Nothing is broken on the way. A disk or NIC of the section's own that stays behind looks like one that somebody plugged.
      const paths = owed.map(({ difference }) => difference.path);
      const broken = left.filter((path) => !paths.includes(path) && !ofSection(spec).includes(path));
      expect(broken).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

test("for a guest that is as it should be there is nothing to do", () => {
  fc.assert(
    fc.property(anyVm, fc.constantFrom("51.0", "53.0"), ({ spec, places }, version) => {
      const config = toVmConfig({ name: "web-1", spec, places, version });
      const sizes = { now: bytesOf(spec), wanted: bytesOf(spec) };
      expect(
        planLiveChanges(asVmInfoSays(config, version), config, { version, architecture: "x86_64" }, sizes),
      ).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
