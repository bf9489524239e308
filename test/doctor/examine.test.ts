import fc from "fast-check";
import { expect, test } from "vitest";
import type { Settings } from "../../src/doctor/examination.ts";
import { examine } from "../../src/doctor/examine.ts";
import { thisHost } from "../../src/doctor/host.ts";
import { aHealthyHost, aSettings, FakeHost } from "../support/a-host.ts";

const NEVER = new AbortController().signal;

async function look(host: FakeHost, over: Partial<Settings> = {}) {
  const findings = await examine({ host, settings: aSettings(over), signal: NEVER });
  return findings;
}

/** What is not as it should be: `fail kvm: there is no /dev/kvm …`. */
const complaints = async (host: FakeHost, over: Partial<Settings> = {}) =>
  (await look(host, over))
    .filter((finding) => finding.level !== "ok")
    .map(({ level, check, message }) => `${level} ${check}: ${message}`);

test("a server that lacks nothing has nothing to complain of", async () => {
  expect(await complaints(aHealthyHost())).toEqual([]);
});

test.each<[what: string, change: (host: FakeHost) => void, complaint: RegExp, over?: Partial<Settings>]>([
  ["no KVM", (host) => host.writable.delete("/dev/kvm"), /^fail kvm: there is no \/dev\/kvm: Cloud Hypervisor starts/],
  ["no right to KVM", (host) => host.writable.set("/dev/kvm", false), /^fail kvm: .* this user may not open it/],
  [
    "no KVM, and QEMU only",
    (host) => host.writable.delete("/dev/kvm"),
    /^warn kvm: .* QEMU emulates/,
    { hypervisors: [{ kind: "qemu", executable: "qemu-system-x86_64" }] },
  ],
  [
    "KVM that QEMU could not use",
    () => {},
    /^warn kvm.works: QEMU could not use it/,
    { known: { ...aSettings().known!, accelerator: "tcg" } },
  ],
  ["one hypervisor of two", (host) => host.programs.delete("cloud-hypervisor"), /^warn hypervisor.cloud-hypervisor: /],
  [
    "an old hypervisor",
    (host) => host.programs.set("cloud-hypervisor", { code: 0, output: "cloud-hypervisor v49.0.0" }),
    /^fail hypervisor.cloud-hypervisor: .* is older than 50.0/,
  ],
  [
    "a new hypervisor",
    (host) => host.programs.set("cloud-hypervisor", { code: 0, output: "cloud-hypervisor v55.1.0" }),
    /^warn hypervisor.cloud-hypervisor: .* is newer than 54/,
  ],
  [
    "Landlock that was asked for and is not there",
    (host) => host.files.set("/sys/kernel/security/lsm", "lockdown,yama"),
    /^fail landlock: .* no guest of Cloud Hypervisor starts/,
    { landlock: true },
  ],
  ["Landlock that nobody can see", () => {}, /^unknown landlock: /, { landlock: true }],
  [
    "a hypervisor that hangs",
    (host) => host.programs.set("qemu-system-x86_64", new Error("it did not end within 3 s")),
    /^unknown hypervisor.qemu: .* did not say its version/,
  ],
  ["no systemd", (host) => host.facts_.delete("/run/systemd/system"), /^warn systemd: systemd does not run this host/],
  [
    "no systemd where it was asked for",
    (host) => host.facts_.delete("/run/systemd/system"),
    /^fail systemd: /,
    { supervisor: "systemd" },
  ],
  ["no bus", (host) => host.listeners.clear(), /^warn systemd.bus: nobody answers at unix:path=/],
  [
    "a bus that keeps us out",
    (host) => host.listeners.set("/run/dbus/system_bus_socket", "REJECTED EXTERNAL\r\n"),
    /^warn systemd.bus: the bus does not let this user in/,
  ],
  ["not root", (host) => Object.assign(host, { uid: 1000 }), /^warn systemd.bus: .* polkit's decision/],
  [
    "a controller missing",
    (host) => host.files.set("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids"),
    /^warn cgroups: cgroup v2 without io/,
  ],
  ["strict overcommit", (host) => host.files.set("/proc/sys/vm/overcommit_memory", "2\n"), /^warn sysctl.overcommit: /],
  ["few maps", (host) => host.files.set("/proc/sys/vm/max_map_count", "1024"), /^warn sysctl.max_map_count: /],
  [
    "a bridge whose packets pass the firewall",
    (host) => {
      host.folders.set("/sys/class/net", ["lo", "br0"]);
      host.folder("/sys/class/net/br0/bridge");
      host.files.set("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n");
      host.files.set("/proc/sys/net/ipv4/ip_forward", "1\n");
    },
    /^warn network.bridge-filter: /,
  ],
  ["a full disk", (host) => host.measures({ freeBytes: 5 }), /^fail disk.space: 0 MiB of 200 GiB/],
  ["no inodes", (host) => host.measures({ freeFiles: 20 }), /^fail disk.inodes: /],
  [
    "disks in memory",
    (host) => host.measures({ type: 0x01021994 }),
    /^fail disk.filesystem: tmpfs: a reboot of the host empties it/,
  ],
  [
    "a filesystem that nobody here knows",
    (host) => host.measures({ type: 0x42 }),
    /^unknown disk.filesystem: a filesystem of type 0x42/,
  ],
  [
    "a stranger on our port",
    (host) => host.listeners.set(8890, "SSH-2.0-OpenSSH_9.2\r\n"),
    /^fail port.agent: port 8890 is taken/,
    { known: null },
  ],
  [
    "a clock that nobody keeps",
    (host) => host.programs.set("timedatectl", { code: 0, output: "no\n" }),
    /^warn clock: the clock is not synchronized/,
  ],
  ["a clock of which nobody knows", (host) => host.programs.delete("timedatectl"), /^unknown clock: /],
  ["a data folder open to all", (host) => host.folder("/var/lib/odorobo", 0o755), /^warn permissions.data: everybody/],
  [
    "a token that others can read",
    (host) => host.file("/etc/odorobo/token", 0o644),
    /^fail permissions.token-file: everybody on this host can get at \/etc\/odorobo\/token/,
    { secretFiles: { "token-file": "/etc/odorobo/token" } },
  ],
  [
    "a hook that others can write",
    (host) => {
      host.folders.set("/etc/odorobo/hooks", ["before-boot.d"]);
      host.file("/etc/odorobo/hooks/before-boot.d/10-check", 0o777);
    },
    /^fail permissions.hooks: everybody can write .*10-check/,
  ],
  [
    "a token that its group can read",
    (host) => host.file("/etc/odorobo/token", 0o640),
    /^warn permissions.token-file: its group can read/,
    { secretFiles: { "token-file": "/etc/odorobo/token" } },
  ],
  [
    "a hook that its group can write",
    (host) => {
      host.folders.set("/etc/odorobo/hooks", ["before-boot.d"]);
      host.file("/etc/odorobo/hooks/before-boot.d/10-check", 0o775);
    },
    /^warn permissions.hooks: its group can write/,
  ],
  [
    "a hook that is none",
    (host) => {
      host.folders.set("/etc/odorobo/hooks", ["before-boot.d"]);
      host.file("/etc/odorobo/hooks/before-boot.d/10-check", 0o644);
    },
    /^fail permissions.hooks: .* is not executable/,
  ],
  [
    "a run folder with a long path",
    (host) => host.folder(`/run/${"x".repeat(60)}`),
    /^warn sockets: VMs with names of more than 24 letters/,
    { runFolder: `/run/${"x".repeat(60)}` },
  ],
  [
    "a process of nobody's",
    (host) => {
      host.folders.set("/proc", ["1", "77"]);
      host.files.set("/proc/77/cmdline", "/opt/cloud-hypervisor-53\0--api-socket\0path=/run/odorobo/vms/old/ch.sock\0");
    },
    /^warn leftovers.processes: .*: 77$/,
  ],
  [
    "a tap of nobody's",
    (host) => host.folders.set("/sys/class/net", ["lo", "odo0123456789ab"]),
    /^warn leftovers.taps: .*: odo0123456789ab$/,
  ],
])("%s is found", async (_what, change, complaint, over) => {
  const host = aHealthyHost();
  change(host);
  const found = await complaints(host, over);
  expect(found.filter((each) => complaint.test(each))).toHaveLength(1);
  for (const { hint, level } of await look(host, over))
    if (level === "warn" || level === "fail") expect(hint).not.toBe("");
});

test("while an operation is under way, a process without a VM may be of one that is just being started", async () => {
  const host = aHealthyHost();
  host.folders.set("/sys/class/net", ["odo0123456789ab"]);
  const known = { ...aSettings().known!, isBusy: true };
  expect(await complaints(host, { known })).toEqual([
    "unknown leftovers.taps: odo0123456789ab may be of VMs that are just being started",
  ]);
});

test("a guest of this agent is no leftover, and without an agent nobody knows whose it is", async () => {
  const host = aHealthyHost();
  host.folders.set("/proc", ["77"]);
  host.files.set("/proc/77/cmdline", "qemu-system-x86_64\0-qmp\0unix:/run/odorobo/vms/web-1/qmp.sock\0");
  expect(await complaints(host, { known: { ...aSettings().known!, pids: [77] } })).toEqual([]);
  expect((await complaints(host, { known: null })).filter((each) => each.includes("leftovers"))).toEqual([
    "unknown leftovers.processes: 1 process of guests, and no agent was asked whose they are",
  ]);
});

test("what could not be seen is never ok: on a host that shows nothing, only what is the same everywhere is", async () => {
  const dark = new FakeHost();
  const denied = new Error("permission denied");
  Object.assign(dark, { disk_: denied, uid: 1000 });
  for (const method of ["read", "list", "facts", "isWritable", "run", "converse"] as const)
    Object.assign(dark, { [method]: async () => ({ kind: "unseen", why: "permission denied" }) });
  const findings = await look(dark, { secretFiles: { "token-file": "/t" }, known: null });
  // How long a path is needs no look.
  expect(findings.filter((finding) => finding.level === "ok").map((finding) => finding.check)).toEqual(["sockets"]);
  expect(findings.filter((finding) => finding.level === "unknown").length).toBeGreaterThan(15);
});

test("whatever a host says, an examination ends with findings of every check and no exception", async () => {
  const word = fc.oneof(fc.string(), fc.constant(""), fc.constantFrom("0", "-1", "9".repeat(40), "\0\0", "v1.", "OK"));
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 8 }), fc.nat(), async (words, start) => {
      let turn = start;
      const next = () => words[turn++ % words.length]!;
      const host = Object.assign(new FakeHost(), {
        read: async () => ({ kind: "seen", value: next() }),
        list: async () => ({ kind: "seen", value: [next(), next()] }),
        run: async () => ({ kind: "seen", value: { code: turn % 3, output: next() } }),
        converse: async () => ({ kind: "seen", value: next() }),
      });
      const findings = await look(host as FakeHost);
      expect(new Set(findings.map(({ check }) => check.split(".")[0])).size).toBeGreaterThanOrEqual(10);
    }),
    { numRuns: 200 },
  );
});

test("this very machine is examined without a complaint of the doctor's own", async () => {
  const findings = await examine({ host: thisHost, settings: aSettings({ known: null, port: null }), signal: NEVER });
  expect(findings.length).toBeGreaterThan(15);
  expect(findings.filter((finding) => finding.message.includes("could not be looked at: "))).toEqual([]);
});
