/** Spec → the command line of the process, and what it is held to. */
import { describe, expect, test } from "vitest";
import { toLaunchCommand } from "../../../src/agent/hypervisor/cloud-hypervisor/compile.ts";
import type { CloudHypervisorHost } from "../../../src/agent/hypervisor/cloud-hypervisor/host.ts";
import type { LaunchInput } from "../../../src/agent/hypervisor/hypervisor.ts";
import { digest } from "../../../src/model/names.ts";
import type { Disk, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aCloudHypervisorSpec } from "../../support/cloud-hypervisor-world.ts";

const host = (over: Partial<CloudHypervisorHost> = {}): CloudHypervisorHost => ({
  executable: "/usr/bin/cloud-hypervisor",
  version: "53.0.0",
  features: ["kvm"],
  architecture: "x86_64",
  kvm: true,
  firmware: new Map([["hypervisor-fw", "/fw/hypervisor-fw"]]),
  seccomp: "true",
  landlock: false,
  tinyGuest: "/guest/tiny.elf",
  ...over,
});

const input = (over: Partial<VmSpec> = {}, runFolder = "/run/odorobo/vms/web-1"): LaunchInput => ({
  name: "web-1",
  spec: aCloudHypervisorSpec(over),
  paths: { runFolder, diskFolder: "/var/lib/odorobo/vms/web-1/disks", logFolder: "/var/lib/odorobo/vms/web-1/log" },
  files: new Map(),
});

const needs = (over: Partial<VmSpec>, onHost = host()) => toLaunchCommand(input(over), onHost).needs;

const overlay: Disk = {
  name: "root",
  origin: { kind: "image", image: "debian-12", path: "/images/debian.qcow2", format: "qcow2", sizeMiB: 1024 },
  readonly: false,
};
const external = (path: string, readonly = false): Disk => ({
  name: "data",
  origin: { kind: "external", url: `file://${path}` },
  readonly,
});
const nic: Nic = {
  name: "eth0",
  network: "front",
  attachment: { kind: "bridge", bridge: "br0" },
  mac: "52:54:00:00:00:01",
  address: null,
};

test("the command line says where the process listens and nothing of the VM", () => {
  const { args, env, outputFile, staleFiles, executable } = toLaunchCommand(
    input({ disks: [overlay], boot: { kind: "kernel", kernel: "/k", initramfs: "/i", cmdline: "password=x" } }),
    host(),
  );
  expect([executable, ...args].join(" ")).toBe(
    "/usr/bin/cloud-hypervisor --api-socket path=/run/odorobo/vms/web-1/ch.sock --event-monitor path=/run/odorobo/vms/web-1/events.json --seccomp true --no-shutdown",
  );
  expect(env).toEqual({ MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "1073741824" });
  expect(outputFile).toBe("/var/lib/odorobo/vms/web-1/log/cloud-hypervisor.log");
  expect(staleFiles).toContain("/run/odorobo/vms/web-1/ch.sock");
  expect(staleFiles).toContain("/run/odorobo/vms/web-1/console.sock");
});

test("the same VM gives the same command", () => {
  const twice = () => toLaunchCommand(input({ disks: [overlay], nics: [nic] }), host());
  expect(twice()).toEqual(twice());
});

describe("versions", () => {
  test("before v52 a process ends with its guest, for it knows no other way", () => {
    expect(toLaunchCommand(input(), host({ version: "51.1.0" })).args).not.toContain("--no-shutdown");
    expect(toLaunchCommand(input(), host({ version: "52.0.0" })).args).toContain("--no-shutdown");
  });

  test("seccomp errno is refused where it would be an unknown word", () => {
    expect(toLaunchCommand(input(), host({ seccomp: "errno" })).args).toContain("errno");
    expect(() => toLaunchCommand(input(), host({ seccomp: "errno", version: "52.0.0" }))).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringContaining("52.0.0") }),
    );
  });
});

describe("what it uses of the host", () => {
  test("its kernel and its own disks", () => {
    expect(needs({ disks: [{ ...overlay, origin: { kind: "blank", sizeMiB: 1 } }] })).toMatchObject({
      reads: ["/guest/tiny.elf"],
      writes: ["/var/lib/odorobo/vms/web-1/disks/root.raw"],
      devices: ["/dev/kvm"],
      capabilities: [],
    });
  });

  test("an overlay and the image below it, the firmware, the seed image", () => {
    const cloudInit = { userData: digest("a".repeat(64)), networkConfig: null, sshKeys: [] };
    const used = needs({ disks: [overlay], boot: { kind: "firmware", firmware: "default" }, cloudInit });
    expect(used.reads).toEqual([
      "/fw/hypervisor-fw",
      "/images/debian.qcow2",
      "/var/lib/odorobo/vms/web-1/disks/cloud-init.iso",
    ]);
    expect(used.writes).toEqual(["/var/lib/odorobo/vms/web-1/disks/root.qcow2"]);
  });

  test("others' disks, as they are opened; a block device is one, too", () => {
    expect(needs({ disks: [external("/srv/a.raw")] }).writes).toEqual(["/srv/a.raw"]);
    expect(needs({ disks: [external("/srv/a.raw", true)] }).reads).toContain("/srv/a.raw");
    expect(needs({ disks: [external("/dev/vg/lv")] })).toMatchObject({ devices: ["/dev/kvm", "/dev/vg/lv"] });
  });

  test("a tap, without rights: it is made beforehand", () => {
    expect(needs({ nics: [nic] })).toMatchObject({ devices: ["/dev/kvm", "/dev/net/tun"], capabilities: [] });
  });

  test("rights where Cloud Hypervisor has to make or change an interface itself", () => {
    expect(needs({ passthrough: { net: [{ id: "own" }] } }).capabilities).toEqual(["NET_ADMIN"]);
    expect(needs({ nics: [nic], passthrough: { net: [{ id: "eth0", mtu: 1400 }] } }).capabilities).toEqual([
      "NET_ADMIN",
    ]);
  });

  test("back ends of the fragment", () => {
    const memory = { shared: true };
    expect(needs({ passthrough: { memory, fs: [{ tag: "t", socket: "/srv/fs.sock" }] } }).writes).toEqual([
      "/srv/fs.sock",
    ]);
    expect(needs({ passthrough: { vsock: { cid: 3, socket: "/srv/v/v.sock" } } }).writes).toEqual(["/srv/v"]);
    expect(needs({ passthrough: { vdpa: [{ path: "/dev/vhost-vdpa-0" }] } })).toMatchObject({
      devices: ["/dev/kvm", "/dev/vhost-vdpa-0"],
      capabilities: ["IPC_LOCK"],
    });
    const device = "/sys/bus/pci/devices/0000:01:00.0/";
    expect(needs({ passthrough: { devices: [{ path: device }] } })).toMatchObject({
      reads: [device, "/guest/tiny.elf"].sort(),
      devices: ["/dev/kvm", "/dev/vfio/vfio", "char-vfio"],
      capabilities: ["IPC_LOCK"],
    });
  });

  test("memory for the guest at its largest and for itself, and none of it is guessed where it is others'", () => {
    const most = (sizeMiB: number, maxMiB: number) => needs({ memory: { sizeMiB, maxMiB } }).memoryMaxMiB ?? 0;
    expect(most(1024, 4096)).toBe(4096 + 256 + 64);
    expect(most(128, 128)).toBe(128 + 256 + 2);
    const file = { memory: { size: 0, hotplug_size: null, zones: [{ id: "z", size: 64 << 20, file: "/dev/dax0.0" }] } };
    expect(needs({ passthrough: file }).memoryMaxMiB).toBeNull();
  });

  test("its share of a busy host, as the spec weighs it", () => {
    expect(needs({ weights: { cpu: 500, io: 50 } })).toMatchObject({ cpuWeight: 500, ioWeight: 50 });
  });
});

describe("what cannot be", () => {
  test("is told all at once, in the words of the configuration", () => {
    const passthrough = {
      memory: { hugepage_size: 4096 },
      disks: [{ id: "x", path: "/x", num_queues: 3 }],
      net: [{ id: "y", num_queues: 1 }],
    };
    expect(() => toLaunchCommand(input({ passthrough }), host())).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED",
        message: expect.stringMatching(/web-1: (?=.*hugepage_size)(?=.*disks\.0\.num_queues)(?=.*net\.0\.num_queues)/),
      }),
    );
  });

  test("a firmware that nobody knows, and one that this node lacks", () => {
    const boots = (firmware: string) => () => toLaunchCommand(input({ boot: { kind: "firmware", firmware } }), host());
    expect(boots("seabios")).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringContaining("seabios") }),
    );
    expect(boots("uefi")).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", hint: expect.stringContaining("CLOUDHV.fd") }),
    );
    expect(boots("hypervisor-fw")().needs.reads).toEqual(["/fw/hypervisor-fw"]);
    expect(boots("/own/fw")().needs.reads).toEqual(["/own/fw"]);
  });

  test("a socket whose path the kernel would cut", () => {
    expect(() => toLaunchCommand(input({}, `/run/${"x".repeat(100)}`), host())).toThrow(
      expect.objectContaining({ code: "AGENT_CONFIG" }),
    );
  });
});

test("a vsock in the VM's own run folder is cleared away before the start, one elsewhere is not ours to remove", () => {
  const stale = (socket: string) =>
    toLaunchCommand(input({ passthrough: { vsock: { cid: 3, socket } } }), host()).staleFiles;
  expect(stale("/run/odorobo/vms/web-1/vsock.sock")).toContain("/run/odorobo/vms/web-1/vsock.sock");
  expect(stale("/run/odorobo/vms/web-10/vsock.sock")).not.toContain("/run/odorobo/vms/web-10/vsock.sock");
  expect(stale("/etc/passwd")).not.toContain("/etc/passwd");
});
