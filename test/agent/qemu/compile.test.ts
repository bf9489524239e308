/** Spec → command line, pinned word by word: a change here changes what guests see at their next boot. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LaunchInput } from "../../../src/agent/hypervisor/hypervisor.ts";
import { toLaunchCommand } from "../../../src/agent/hypervisor/qemu/compile.ts";
import type { QemuHost } from "../../../src/agent/hypervisor/qemu/host.ts";
import { digest } from "../../../src/model/names.ts";
import type { BootSource, Disk, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aSpec } from "../../support/a-fleet.ts";

const HOST: QemuHost = {
  executable: "qemu-system-x86_64",
  version: "7.2.0",
  accelerator: "tcg",
  machine: "pc-q35-7.2",
  machines: ["pc-q35-7.1", "pc-q35-7.2"],
  sandbox: true,
  vhostNet: false,
  uefiFirmware: null,
  blockDrivers: [],
  limits: {},
  tinyGuest: "/opt/odorobo/guest/tiny.elf",
};

const input = (over: Partial<VmSpec> = {}, paths: Partial<LaunchInput["paths"]> = {}): LaunchInput => ({
  name: "web-1",
  spec: aSpec({ hypervisor: "qemu", ...over }),
  paths: { runFolder: "/run/o/web-1", diskFolder: "/var/o/web-1", logFolder: "/log/web-1", ...paths },
  files: new Map(),
});

const compile = (over: Partial<VmSpec> = {}, host: Partial<QemuHost> = {}) =>
  toLaunchCommand(input(over), { ...HOST, ...host });

/** One option a line, with its value. */
function lines(args: readonly string[]): string[] {
  const out: string[] = [];
  for (const arg of args) {
    if (arg.startsWith("-") || out.length === 0) out.push(arg);
    else out[out.length - 1] += ` ${arg}`;
  }
  return out;
}

const EVERY_GUEST = lines(compile().args);
/** What this spec adds to the smallest guest. */
const added = (over: Partial<VmSpec>, host: Partial<QemuHost> = {}) =>
  lines(compile(over, host).args).filter((line) => !EVERY_GUEST.includes(line));

const disk = (name: string, origin: Disk["origin"], readonly = false): Disk => ({ name, origin, readonly });
const nic = (name: string, attachment: Nic["attachment"]): Nic => ({
  name,
  network: "front",
  attachment,
  mac: "52:54:00:00:00:01",
  address: null,
});
const firmware = (name: string): Partial<VmSpec> => ({ boot: { kind: "firmware", firmware: name } });
const passing = (...args: unknown[]): Partial<VmSpec> => ({ passthrough: { args } });

describe("the command line of a QEMU guest", () => {
  test("names the machine's UUID, and one of the user's own behind it", () => {
    const uuid = "0b0d0e0f-0001-8002-8003-0a0b0c0d0e0f";
    const args = toLaunchCommand({ ...input(passing("-uuid", "own")), uuid }, HOST).args;
    expect(args[args.indexOf("-uuid") + 1]).toBe(uuid);
    expect(args.at(-1)).toBe("own");
    expect(compile().args).not.toContain("-uuid");
  });

  test("of the smallest one", () => {
    const command = compile();
    expect(lines(command.args)).toMatchInlineSnapshot(`
      [
        "-name guest=web-1,debug-threads=on",
        "-nodefaults",
        "-no-user-config",
        "-display none",
        "-msg timestamp=on",
        "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-machine pc-q35-7.2,sata=off,smbus=off,usb=off,vmport=off",
        "-accel tcg",
        "-cpu max",
        "-smp cpus=1,maxcpus=1,sockets=1,cores=1,threads=1",
        "-m size=1024M",
        "-no-shutdown",
        "-object rng-builtin,id=rng.0",
        "-device virtio-rng-pci,id=rng.device,rng=rng.0,bus=pcie.0,addr=0x1",
        "-device pvpanic",
        "-kernel /opt/odorobo/guest/tiny.elf",
        "-chardev file,id=serial.0,path=/log/web-1/console.log,append=on",
        "-serial chardev:serial.0",
        "-chardev socket,id=qmp.0,path=/run/o/web-1/qmp.sock,server=on,wait=off",
        "-mon chardev=qmp.0,mode=control",
        "-device pcie-root-port,id=port.nic.0,bus=pcie.0,addr=0x4.0x0,multifunction=on,chassis=1,slot=1,io-reserve=0",
        "-device pcie-root-port,id=port.nic.1,bus=pcie.0,addr=0x4.0x1,multifunction=on,chassis=2,slot=2,io-reserve=0",
        "-device pcie-root-port,id=port.disk.0,bus=pcie.0,addr=0x8.0x0,multifunction=on,chassis=33,slot=33,io-reserve=0",
        "-device pcie-root-port,id=port.disk.1,bus=pcie.0,addr=0x8.0x1,multifunction=on,chassis=34,slot=34,io-reserve=0",
        "-device pcie-root-port,id=port.disk.2,bus=pcie.0,addr=0x8.0x2,multifunction=on,chassis=35,slot=35,io-reserve=0",
        "-device pcie-root-port,id=port.disk.3,bus=pcie.0,addr=0x8.0x3,multifunction=on,chassis=36,slot=36,io-reserve=0",
      ]
    `);
    expect({ ...command, args: [] }).toEqual({
      kind: "qemu",
      executable: "qemu-system-x86_64",
      args: [],
      env: { LC_ALL: "C" },
      workingFolder: "/run/o/web-1",
      outputFile: "/log/web-1/qemu.log",
      staleFiles: [
        "/run/o/web-1/qmp.sock",
        "/run/o/web-1/console.sock",
        "/run/o/web-1/console.in",
        "/run/o/web-1/attached.json",
        "/run/o/web-1/in.sock",
        "/run/o/web-1/nbd.sock",
      ],
      needs: {
        reads: ["/opt/odorobo/guest/tiny.elf"],
        writes: ["/log/web-1"],
        devices: [],
        capabilities: [],
        // The guest's 1024, a 16th of it, and 1024 for itself.
        memoryMaxMiB: 2112,
        cpuWeight: null,
        ioWeight: null,
      },
    });
  });

  test("what it needs of the host is said with it", () => {
    const image = {
      kind: "image",
      image: "debian",
      path: "/images/debian.qcow2",
      format: "qcow2",
      sizeMiB: 1,
    } as const;
    const { needs } = compile(
      {
        boot: { kind: "firmware", firmware: "/fw/bios.bin" },
        disks: [
          { name: "root", origin: image, readonly: false },
          { name: "data", origin: { kind: "external", url: "file:///dev/vg/data%201" }, readonly: false },
          { name: "iso", origin: { kind: "external", url: "file:///iso/x.iso" }, readonly: true },
          { name: "far", origin: { kind: "external", url: "nbd://n2/x" }, readonly: false },
        ],
        nics: [nic("eth0", { kind: "bridge", bridge: "br0" })],
        cloudInit: { userData: null, networkConfig: null, sshKeys: ["ssh-ed25519 A"] },
        weights: { cpu: 200, io: 50 },
      },
      { accelerator: "kvm", vhostNet: true },
    );
    expect(needs).toMatchObject({
      reads: ["/fw/bios.bin", "/images/debian.qcow2", "/iso/x.iso", "/var/o/web-1/cloud-init.iso"],
      writes: ["/dev/vg/data 1", "/log/web-1", "/var/o/web-1/root.qcow2"],
      devices: ["/dev/kvm", "/dev/net/tun", "/dev/vg/data 1", "/dev/vhost-net"],
      cpuWeight: 200,
      ioWeight: 50,
    });
  });

  test("with KVM, without seccomp", () => {
    const args = lines(compile({}, { accelerator: "kvm", sandbox: false }).args);
    expect(args).toContain("-accel kvm");
    expect(args).toContain("-cpu host");
    expect(args.some((line) => line.startsWith("-sandbox"))).toBe(false);
  });

  test("with room for CPUs and memory", () => {
    expect(added({ cpus: { count: 2, max: 8 }, memory: { sizeMiB: 4096, maxMiB: 16384 } })).toMatchInlineSnapshot(`
      [
        "-smp cpus=2,maxcpus=8,sockets=1,cores=8,threads=1",
        "-m size=4096M,slots=32,maxmem=16384M",
      ]
    `);
  });

  test.each<[string, BootSource]>([
    [
      "a kernel with everything",
      { kind: "kernel", kernel: "/k/vmlinuz", initramfs: "/k/initrd", cmdline: "console=ttyS0 a,b" },
    ],
    ["a kernel alone", { kind: "kernel", kernel: "/k/vmlinuz", initramfs: null, cmdline: "" }],
    ["the default firmware", { kind: "firmware", firmware: "default" }],
    ["a BIOS of the node's", { kind: "firmware", firmware: "/fw/bios.bin" }],
    ["a UEFI image of the node's", { kind: "firmware", firmware: "/fw/a,b.fd" }],
  ])("booting %s", (_what, boot) => {
    expect(added({ boot })).toMatchSnapshot();
  });

  test("booting UEFI, where the node has it", () => {
    expect(added(firmware("uefi"), { uefiFirmware: "/usr/share/OVMF/OVMF_CODE.fd" })).toMatchInlineSnapshot(`
      [
        "-machine pc-q35-7.2,sata=off,smbus=off,usb=off,vmport=off,pflash0=firmware.0",
        "-blockdev {"driver":"raw","file":{"driver":"file","filename":"/usr/share/OVMF/OVMF_CODE.fd"},"node-name":"firmware.0","read-only":true}",
      ]
    `);
    expect(() => compile(firmware("uefi"))).toThrow("this node has no UEFI firmware for QEMU");
    expect(() => compile(firmware("hypervisor-fw"))).toThrow("QEMU has no firmware called hypervisor-fw");
  });

  test("with the agent's own disks", () => {
    const image = { kind: "image", image: "debian", path: "/img/d.qcow2", format: "qcow2", sizeMiB: 1024 } as const;
    expect(
      added({ disks: [disk("root", image), disk("data", { kind: "blank", sizeMiB: 8 }, true)] }),
    ).toMatchInlineSnapshot(`
      [
        "-device pcie-root-port,id=port.disk.4,bus=pcie.0,addr=0x8.0x4,multifunction=on,chassis=37,slot=37,io-reserve=0",
        "-device pcie-root-port,id=port.disk.5,bus=pcie.0,addr=0x8.0x5,multifunction=on,chassis=38,slot=38,io-reserve=0",
        "-blockdev {"driver":"qcow2","file":{"driver":"file","filename":"/var/o/web-1/root.qcow2"},"node-name":"disk-root","read-only":false,"discard":"unmap"}",
        "-device virtio-blk-pci,id=disk-root,drive=disk-root,serial=root,bus=port.disk.0,addr=0x0,bootindex=1",
        "-blockdev {"driver":"raw","file":{"driver":"file","filename":"/var/o/web-1/data.raw"},"node-name":"disk-data","read-only":true}",
        "-device virtio-blk-pci,id=disk-data,drive=disk-data,serial=data,bus=port.disk.1,addr=0x0,bootindex=2",
      ]
    `);
  });

  test.each([
    "file:///data/a%20b,c.raw",
    "file:///data/x.qcow2",
    "file:///dev/vg/lv",
    "nbd://10.0.0.1/exports",
    "nbd://[fd00::1]:10810/",
    "nbd+unix:///disk?socket=/run/nbd.sock",
    "file:///data/disk#2%23?.raw",
    "rbd://Pool/web-1-data",
    "rbd://Pool/space/img@snap",
    "iscsi://10.0.0.1:3260/iqn.2020-01.org.example:x/3",
    "iscsi://san/iqn.2020-01.org.example:x",
  ])("with someone else's disk %s", (url) => {
    const node = compile({ disks: [disk("data", { kind: "external", url })] }).args.find((arg) => arg.startsWith("{"));
    expect(JSON.parse(node ?? "")).toMatchSnapshot();
  });

  test.each([
    "file://host/x",
    "rbd://pool",
    "rbd://pool/a/b/c",
    "nbd://h/x?tls=1",
    "file:///50%",
    "iscsi://san",
    "nbd+unix:///x",
    "http://x/y",
    "nonsense",
  ])("refuses the disk %s", (url) => {
    expect(() => compile({ disks: [disk("data", { kind: "external", url })] })).toThrow(
      `QEMU cannot open disk data: ${url}`,
    );
  });

  test("with NICs of every kind", () => {
    const nics = [
      nic("eth0", { kind: "user" }),
      nic("eth1", { kind: "bridge", bridge: "br0" }),
      nic("eth2", { kind: "none" }),
    ];
    expect(added({ nics }, { vhostNet: true })).toMatchInlineSnapshot(`
      [
        "-device pcie-root-port,id=port.nic.2,bus=pcie.0,addr=0x4.0x2,multifunction=on,chassis=3,slot=3,io-reserve=0",
        "-device pcie-root-port,id=port.nic.3,bus=pcie.0,addr=0x4.0x3,multifunction=on,chassis=4,slot=4,io-reserve=0",
        "-device pcie-root-port,id=port.nic.4,bus=pcie.0,addr=0x4.0x4,multifunction=on,chassis=5,slot=5,io-reserve=0",
        "-netdev user,id=nic-eth0",
        "-device virtio-net-pci,id=nic-eth0,netdev=nic-eth0,mac=52:54:00:00:00:01,romfile=,bus=port.nic.0,addr=0x0",
        "-netdev tap,id=nic-eth1,ifname=odobaa7f4669cdd,script=no,downscript=no,vhost=on",
        "-device virtio-net-pci,id=nic-eth1,netdev=nic-eth1,mac=52:54:00:00:00:01,romfile=,bus=port.nic.1,addr=0x0",
        "-device virtio-net-pci,id=nic-eth2,mac=52:54:00:00:00:01,romfile=,bus=port.nic.2,addr=0x0",
      ]
    `);
  });

  test("with a cloud-init seed, whose contents it does not show", () => {
    const cloudInit = { userData: digest("ab".repeat(32)), networkConfig: null, sshKeys: ["ssh-ed25519 AAAA me"] };
    expect(added({ cloudInit })).toMatchInlineSnapshot(`
      [
        "-device pcie-root-port,id=port.seed,bus=pcie.0,addr=0x1c.0x0,multifunction=on,chassis=250,slot=250,io-reserve=0",
        "-blockdev {"driver":"raw","file":{"driver":"file","filename":"/var/o/web-1/cloud-init.iso"},"node-name":"seed.0","read-only":true}",
        "-device virtio-blk-pci,id=seed.device,drive=seed.0,bus=port.seed,addr=0x0",
      ]
    `);
  });

  test("with commas in paths written twice, as QEMU wants them", () => {
    const { args } = toLaunchCommand(input({}, { runFolder: "/run/a,b" }), HOST);
    expect(args.find((arg) => arg.includes("id=qmp.0"))).toContain("path=/run/a,,b/qmp.sock,server=on");
  });

  test("refuses a run folder too long for a socket", () => {
    expect(() => toLaunchCommand(input({}, { runFolder: `/${"x".repeat(100)}` }), HOST)).toThrow(
      "has 110 bytes, 107 is the most",
    );
  });

  test("ends with the arguments of the manifest's qemu section", () => {
    expect(compile(passing("-vnc", "unix:/run/x.vnc")).args.slice(-2)).toEqual(["-vnc", "unix:/run/x.vnc"]);
  });

  test.each(["-qmp", "-serial", "-daemonize", "-pidfile", "-name", "--name", "-m", "-snapshot", "-sandbox", "-S"])(
    "refuses the argument %s, which is the agent's own",
    (arg) => {
      expect(() => compile(passing(arg, "x"))).toThrow(`qemu.args may not contain ${arg}`);
    },
  );

  test.each([[{ args: [""] }], [{ args: "-vnc none" }], [{ args: [7] }], [{ args: [], vnc: true }]])(
    "refuses the qemu section %j",
    (passthrough) => {
      expect(() => compile({ passthrough })).toThrow(/qemu/);
    },
  );

  test("keeps NICs where they are when disks come and go, and the other way round", () => {
    const places = (over: Partial<VmSpec>, id: string) =>
      compile(over).args.filter((arg) => arg.startsWith("virtio-") && arg.includes(`id=${id},`));
    const nics = [nic("eth0", { kind: "user" })];
    const disks = [disk("root", { kind: "blank", sizeMiB: 1 })];
    expect(places({ nics, disks }, "nic-eth0")).toEqual(places({ nics }, "nic-eth0"));
    expect(places({ nics, disks }, "disk-root")).toEqual(places({ disks }, "disk-root"));
  });

  test("for any spec: the same each time, no empty argument, no id twice, no two devices in one place", () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const { args } = toLaunchCommand(input(spec), HOST);
        expect(toLaunchCommand(input(spec), HOST).args).toEqual(args);
        expect(args).not.toContain("");
        const devices = args.filter((_arg, index) => args[index - 1] === "-device");
        expectUnique(devices.map((text) => /(?:^|,)id=([^,]*)/.exec(text)?.[1]));
        expectUnique(devices.map((text) => /,bus=([^,]*),addr=([^,]*)/.exec(text)?.slice(1).join(" ")));
        const nodes = args.filter((arg) => arg.startsWith("{")).map((arg) => JSON.parse(arg)["node-name"] as string);
        expectUnique(nodes);
        for (const node of nodes) expect(node).toMatch(/^[a-z][a-zA-Z0-9.-]{0,30}$/);
        expectUnique(devices.map((text) => /,serial=([^,]*)/.exec(text)?.[1]));
      }),
      { numRuns: 1000 },
    );
  });
});

function expectUnique(values: readonly (string | undefined)[]): void {
  const known = values.filter((value) => value !== undefined);
  expect(new Set(known).size).toBe(known.length);
}

const anyLabel = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const anySpec = fc.record({
  cpus: fc
    .integer({ min: 1, max: 64 })
    .chain((count) => fc.integer({ min: count, max: 128 }).map((max) => ({ count, max }))),
  disks: fc.uniqueArray(
    fc.record({ name: anyLabel, origin: fc.constant({ kind: "blank" as const, sizeMiB: 1 }), readonly: fc.boolean() }),
    { selector: (each) => each.name, maxLength: 12 },
  ),
  nics: fc.uniqueArray(
    fc.record({
      name: anyLabel,
      network: anyLabel,
      attachment: fc.constantFrom<Nic["attachment"]>(
        { kind: "user" },
        { kind: "none" },
        { kind: "bridge", bridge: "br0" },
      ),
      mac: fc.constant("52:54:00:00:00:01"),
      address: fc.constant(null),
    }),
    { selector: (each) => each.name, maxLength: 12 },
  ),
});
