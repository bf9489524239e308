/** A server as a doctor sees it, made of words: what is not said is not there. */
import type { Settings } from "../../src/doctor/examination.ts";
import type { DiskFacts, FileFacts, Host, Ran, Seen } from "../../src/doctor/host.ts";

const GIB = 1024 ** 3;

export class FakeHost implements Host {
  uid = 0;
  readonly files = new Map<string, string | Error>();
  readonly folders = new Map<string, readonly string[]>();
  readonly facts_ = new Map<string, FileFacts | Error>();
  readonly writable = new Map<string, boolean | Error>();
  /** By the program's name; by program and first argument where that matters. */
  readonly programs = new Map<string, Ran | Error>();
  /** By path or port. */
  readonly listeners = new Map<string | number, string | Error>();
  disk_: DiskFacts | Error = {
    type: 0xef53,
    totalBytes: 200 * GIB,
    freeBytes: 100 * GIB,
    totalFiles: 1_000_000,
    freeFiles: 900_000,
  };

  read = async (path: string) => seen(this.files.get(path));
  list = async (path: string) => seen(this.folders.get(path));
  facts = async (path: string) => seen(this.facts_.get(path));
  disk = async () => seen(this.disk_);
  isWritable = async (path: string) => seen(this.writable.get(path));
  run = async (program: string, args: readonly string[]) =>
    seen(this.programs.get(`${program} ${args[0]}`) ?? this.programs.get(program));
  converse = async (address: { path: string } | { port: number }) =>
    seen(this.listeners.get("path" in address ? address.path : address.port));

  measures(disk: Partial<DiskFacts>): this {
    if (!(this.disk_ instanceof Error)) this.disk_ = { ...this.disk_, ...disk };
    return this;
  }

  /** A folder and what is in it, by its mode. */
  folder(path: string, mode = 0o700): this {
    this.facts_.set(path, { kind: "folder", mode, uid: 0 });
    return this;
  }

  file(path: string, mode: number, text = ""): this {
    this.facts_.set(path, { kind: "file", mode, uid: 0 });
    this.files.set(path, text);
    const [, folder = "/", name = ""] = /^(.*)\/([^/]+)$/.exec(path) ?? [];
    this.folders.set(folder, [...(this.folders.get(folder) ?? []), name]);
    return this;
  }
}

function seen<Value>(value: Value | Error | undefined): Seen<Value> {
  if (value === undefined) return { kind: "absent" };
  return value instanceof Error ? { kind: "unseen", why: value.message } : { kind: "seen", value };
}

/** A server that lacks nothing. */
export function aHealthyHost(): FakeHost {
  const host = new FakeHost();
  host.writable.set("/dev/kvm", true);
  host.programs.set("cloud-hypervisor", { code: 0, output: 'cloud-hypervisor v53.0.0\nEnabled features: ["kvm"]\n' });
  host.programs.set("qemu-system-x86_64", { code: 0, output: "QEMU emulator version 7.2.22 (Debian 1:7.2)\n" });
  host.programs.set("timedatectl", { code: 0, output: "yes\n" });
  host.listeners.set("/run/dbus/system_bus_socket", "OK 0123456789abcdef\r\n");
  host.folder("/run/systemd/system").folder("/var/lib/odorobo").folder("/run/odorobo");
  host.files.set("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
  host.files.set("/proc/sys/vm/overcommit_memory", "0\n");
  host.files.set("/proc/sys/vm/max_map_count", "65530\n");
  host.files.set("/proc/meminfo", "MemTotal: 1 kB\nHugePages_Total:  4\nHugePages_Free:  2\nHugepagesize: 2048 kB\n");
  host.files.set("/proc/net/tcp", "  sl  local_address rem_address   st\n   0: 00000000:22BA 00000000:0000 0A 0\n");
  host.folders.set("/sys/class/net", ["lo", "eth0"]);
  host.folders.set("/proc", ["1", "self"]);
  return host;
}

export const aSettings = (over: Partial<Settings> = {}): Settings => ({
  dataFolder: "/var/lib/odorobo",
  runFolder: "/run/odorobo",
  hooksFolder: "/etc/odorobo/hooks",
  secretFiles: {},
  hypervisors: [
    { kind: "cloud-hypervisor", executable: "cloud-hypervisor" },
    { kind: "qemu", executable: "qemu-system-x86_64" },
    { kind: "noop", executable: null },
  ],
  supervisor: "auto",
  bus: "unix:path=/run/dbus/system_bus_socket",
  port: 8890,
  known: { vms: ["web-1"], pids: [], taps: [], images: [], isBusy: false, accelerator: "kvm" },
  ...over,
});
