/** What QEMU's answers mean, and what can be done about a difference while the guest runs. */
import { expect, test } from "vitest";
import { toGuestStatus } from "../../../src/agent/hypervisor/qemu/guest.ts";
import { LIVE_CAPABILITIES, liveChanges } from "../../../src/agent/hypervisor/qemu/live-changes.ts";
import { toLiveConfig as fromAnswers } from "../../../src/agent/hypervisor/qemu/live-config.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import type { Disk, Forward, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aSpec } from "../../support/a-fleet.ts";

const blank = (name: string, sizeMiB: number): Disk => ({ name, origin: { kind: "blank", sizeMiB }, readonly: false });
const nic = (name: string, mac = "52:54:00:00:00:01"): Nic => ({
  name,
  network: "front",
  attachment: { kind: "user" },
  mac,
  address: null,
});

const FORWARD: Forward = { guestPort: 22, protocol: "tcp", host: "127.0.0.1", hostPort: 2222 };

const BOOTED = aSpec({
  hypervisor: "qemu",
  cpus: { count: 2, max: 4 },
  disks: [blank("root", 8)],
  nics: [nic("eth0")],
});

/** The kinds of change, with what they are about. */
const changesTo = (over: Partial<VmSpec>) =>
  liveChanges(toLiveConfig(BOOTED), { ...BOOTED, ...over }).map((change) => {
    switch (change.kind) {
      case "add-cpus":
        return `add-cpus ${change.count}`;
      case "grow-disk":
        return `grow-disk ${change.name} ${change.sizeMiB}`;
      case "attach-disk":
        return `attach-disk ${change.disk.name}`;
      case "attach-nic":
        return `attach-nic ${change.nic.name}`;
      case "add-forward":
      case "remove-forward":
        return `${change.kind} ${change.nic} ${change.forward.hostPort}:${change.forward.guestPort}`;
      default:
        return `${change.kind} ${change.name}`;
    }
  });

test.each<[string, Partial<VmSpec>, string[]]>([
  ["nothing", {}, []],
  ["more CPUs", { cpus: { count: 3, max: 4 } }, ["add-cpus 3"]],
  ["more CPUs than there is room for: as many as fit", { cpus: { count: 9, max: 9 } }, ["add-cpus 4"]],
  ["fewer CPUs: waits for a reboot", { cpus: { count: 1, max: 4 } }, []],
  ["memory: waits for a reboot", { memory: { sizeMiB: 2048, maxMiB: 4096 } }, []],
  ["a larger disk", { disks: [blank("root", 9)] }, ["grow-disk root 9"]],
  ["a smaller disk: never", { disks: [blank("root", 7)] }, []],
  ["a disk that became read-only: waits", { disks: [{ ...blank("root", 9), readonly: true }] }, []],
  [
    "another disk under the old name: waits",
    { disks: [{ ...blank("root", 8), origin: { kind: "external", url: "file:///x" } }] },
    [],
  ],
  ["another MAC: waits", { nics: [nic("eth0", "52:54:00:00:00:09")] }, []],
  [
    "other devices: the old go before the new come",
    { disks: [blank("data", 1)], nics: [nic("eth1")] },
    ["detach-disk root", "detach-nic eth0", "attach-disk data", "attach-nic eth1"],
  ],
])("a running guest, asked for %s", (_what, over, expected) => {
  expect(changesTo(over)).toEqual(expected);
});

test("the capabilities promise exactly what is done", () => {
  const done = {
    cpusUp: changesTo({ cpus: { count: 3, max: 4 } }),
    cpusDown: changesTo({ cpus: { count: 1, max: 4 } }),
    memoryUp: changesTo({ memory: { sizeMiB: 2048, maxMiB: 4096 } }),
    memoryDown: changesTo({ memory: { sizeMiB: 512, maxMiB: 1024 } }),
    diskGrow: changesTo({ disks: [blank("root", 9)] }),
    diskAttach: changesTo({ disks: [...BOOTED.disks, blank("data", 1)] }),
    diskDetach: changesTo({ disks: [] }),
    nicAttach: changesTo({ nics: [...BOOTED.nics, nic("eth1")] }),
    nicDetach: changesTo({ nics: [] }),
    forwards: changesTo({ nics: [{ ...nic("eth0"), forwards: [FORWARD] }] }),
  };
  const promised = Object.fromEntries(Object.entries(done).map(([name, changes]) => [name, changes.length > 0]));
  expect(promised).toEqual(LIVE_CAPABILITIES);
});

const MIB = 1024 * 1024;
const slot = (core: number, plugged: boolean) => ({
  type: "max-x86_64-cpu",
  "vcpus-count": 1,
  props: { "core-id": core },
  ...(plugged ? { "qom-path": `/machine/${core}` } : {}),
});
const block = (id: string, bytes: number, ro = false) => ({
  inserted: { "node-name": id, ro, image: { "virtual-size": bytes } },
});

const ANSWERS = {
  peripherals: [{ name: "type" }, { name: "port.disk.0" }, { name: "nic-eth0" }, { name: "disk-root" }],
  cpuSlots: [slot(3, false), slot(2, false), slot(1, true), slot(0, true)],
  memory: { "base-memory": 1024 * MIB, "plugged-memory": 0 },
  blocks: [block("seed.0", 4096, true), block("disk-root", 8 * MIB)],
};
const NOTHING = { disks: [], nics: [], releasing: [] };

test("an untouched guest is its spec", () => {
  expect(fromAnswers(BOOTED, NOTHING, ANSWERS)).toEqual(toLiveConfig(BOOTED));
});

test("what QEMU says wins over what is remembered", () => {
  const live = fromAnswers(BOOTED, NOTHING, {
    peripherals: [{ name: "disk-root" }],
    cpuSlots: ANSWERS.cpuSlots.map((each, index) => slot(index, each["qom-path"] !== undefined || index === 0)),
    memory: { "base-memory": 512 * MIB, "plugged-memory": 128 * MIB },
    blocks: [block("disk-root", 20 * MIB, true)],
  });
  expect(live).toMatchObject({ cpus: { count: 3, max: 4 }, memory: { sizeMiB: 640 }, nics: [] });
  expect(live.disks).toEqual([{ ...blank("root", 20), readonly: true }]);
});

test("what was attached is known by its own words, and only while it is there", () => {
  const attached = {
    disks: [blank("data", 1), blank("gone", 1)],
    nics: [nic("eth0", "52:54:00:00:00:07")],
    releasing: [],
  };
  const live = fromAnswers(BOOTED, attached, {
    ...ANSWERS,
    peripherals: [...ANSWERS.peripherals, { name: "disk-data" }],
    blocks: [...ANSWERS.blocks, block("disk-data", 2 * MIB)],
  });
  expect(live.disks).toEqual([blank("root", 8), blank("data", 2)]);
  expect(live.nics).toEqual([nic("eth0", "52:54:00:00:00:07")]);
});

test.each([
  ["running", { phase: "running" }],
  ["suspended", { phase: "running" }],
  ["paused", { phase: "paused" }],
  ["io-error", { phase: "paused" }],
  ["shutdown", { phase: "off", endedBy: "guest" }],
  ["prelaunch", { phase: "off", endedBy: "guest" }],
  ["guest-panicked", { phase: "off", endedBy: "failure" }],
  ["internal-error", { phase: "off", endedBy: "failure" }],
])("the run state %s means %j", (state, expected) => {
  expect(toGuestStatus(state)).toMatchObject(expected);
});
