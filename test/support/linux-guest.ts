/**
 * A real Linux in a guest, for what the tiny guest cannot show: the distribution's kernel and an initramfs of busybox and a few
 * modules, made here. It says on its serial line what it sees of the machine, whenever that changes:
 *
 *   SEES cpus=2 vda=4096 vdb=2048 eth0
 *
 * (disk sizes in sectors of 512 bytes), brings new CPUs online, reads a cloud-init seed aloud, and answers the power button
 * and, as an SSH server begins, whoever comes to port 22 of its first NIC by a user network.
 * With `network` it asks for an address on its first NIC, says LEASED, and sends back what it is told on port 7.
 * With `writes` it fills its first disk to the end, and says FILLED when it has; with `idle` it does nothing once it is up.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { BootSource } from "../../src/model/vm-spec.ts";

const MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "isofs", "button", "evdev", "af_packet"];

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
while read module; do insmod $module || echo "insmod $module failed"; done < /modules
acpid -f -l /dev/console -c /etc/acpi -M /etc/acpi.map &
for disk in /sys/block/vd*; do
  mount -t iso9660 -o ro /dev/\${disk##*/} /mnt 2>/dev/null || continue
  for file in /mnt/*; do echo "SEED \${file##*/}: $(cat $file)"; done
  umount /mnt
done
if [ -e /sys/class/net/eth0 ] && ! grep -q odorobo.network /proc/cmdline; then
  ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up
  (while echo SSH-2.0-busybox | nc -l -p 22; do :; done) &
fi
echo LINUX-UP
if grep -q odorobo.writes /proc/cmdline; then
  (dd if=/dev/zero of=/dev/vda bs=64k conv=fsync 2>/dev/null; echo FILLED) &
fi
if grep -q odorobo.network /proc/cmdline; then
  ip link set lo up
  udhcpc -i eth0 -O mtu -q -f -s /etc/lease >/dev/null 2>&1
  nc -ll -p 7 -e cat &
fi
grep -q odorobo.idle /proc/cmdline && while :; do sleep 3600; done
last=
while :; do
  for cpu in /sys/devices/system/cpu/cpu[0-9]*/online; do [ "$(cat $cpu)" = 0 ] && echo 1 > $cpu; done
  sees="cpus=$(grep -c ^processor /proc/cpuinfo)"
  for disk in /sys/block/vd*; do [ -e $disk/size ] && sees="$sees \${disk##*/}=$(cat $disk/size)"; done
  for nic in /sys/class/net/eth*; do [ -e $nic ] && sees="$sees \${nic##*/}"; done
  [ "$sees" = "$last" ] || echo "SEES $sees"
  last=$sees
  usleep 100000
done
`;

const LEASE = `#!/bin/busybox sh
[ "$1" = deconfig ] && ip link set eth0 up
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev eth0
ip link set eth0 mtu $mtu
echo "LEASED $ip mtu $mtu" > /dev/console
`;

const POWER_BUTTON = `#!/bin/busybox sh
echo LINUX-POWERS-OFF > /dev/console
poweroff -f
`;

/** Makes the initramfs in this folder and says how to boot it. */
export async function linuxBoot(
  folder: string,
  { writes = false, idle = false, network = false } = {},
): Promise<BootSource> {
  const version = await kernelVersion();
  const initramfs = join(folder, "initramfs.cpio");
  await mkdir(folder, { recursive: true });
  await writeFile(initramfs, await buildInitramfs(version));
  // What a TCG guest needs not to spend a second on: clock calibration, mitigations, crypto self tests.
  const cmdline =
    "console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off random.trust_cpu=on cryptomgr.notests";
  const more = (writes ? " odorobo.writes" : "") + (idle ? " odorobo.idle" : "") + (network ? " odorobo.network" : "");
  return { kind: "kernel", kernel: `/boot/vmlinuz-${version}`, initramfs, cmdline: cmdline + more };
}

async function kernelVersion(): Promise<string> {
  const kernels = (await readdir("/boot")).filter((file) => /^vmlinuz-.*-cloud-amd64$/.test(file));
  const newest = kernels.sort(new Intl.Collator("en", { numeric: true }).compare).at(-1);
  if (newest === undefined) throw new Error("no cloud kernel in /boot");
  return newest.slice("vmlinuz-".length);
}

async function buildInitramfs(version: string): Promise<Buffer> {
  const modules = await modulesInOrder(version);
  const files: CpioFile[] = [
    ...["bin", "dev", "proc", "sys", "mnt", "etc", "etc/acpi", "etc/acpi/PWRF", "lib"].map(folder),
    // The kernel's first output goes here, before devtmpfs is there.
    { name: "dev/console", mode: 0o020600, device: [5, 1], data: Buffer.alloc(0) },
    program("bin/busybox", await readFile(await findBusybox())),
    program("init", Buffer.from(INIT)),
    program("etc/acpi/PWRF/00000080", Buffer.from(POWER_BUTTON)),
    program("etc/lease", Buffer.from(LEASE)),
    ...modules.map(({ name, data }) => program(`lib/${name}`, data)),
    program("modules", Buffer.from(modules.map(({ name }) => `/lib/${name}\n`).join(""))),
  ];
  return cpio(files);
}

/** The modules and what they depend on, each after its dependencies, as modules.dep says. */
async function modulesInOrder(version: string): Promise<{ readonly name: string; readonly data: Buffer }[]> {
  const root = `/lib/modules/${version}`;
  const dependencies = new Map<string, readonly string[]>();
  for (const line of (await readFile(join(root, "modules.dep"), "utf8")).split("\n")) {
    const [path, needs = ""] = line.split(":");
    if (path) dependencies.set(path, needs.trim().split(" ").filter(Boolean));
  }
  const fileName = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  const ordered = new Set<string>();
  const add = (path: string) => {
    if (ordered.has(path)) return;
    for (const need of dependencies.get(path) ?? []) add(need);
    ordered.add(path);
  };
  for (const module of MODULES) {
    // Not in the list: built into the kernel.
    const path = [...dependencies.keys()].find((each) => fileName(each).replaceAll("-", "_") === `${module}.ko`);
    if (path) add(path);
  }
  return Promise.all(
    [...ordered].map(async (path) => ({ name: fileName(path), data: await readFile(join(root, path)) })),
  );
}

async function findBusybox(): Promise<string> {
  for (const place of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(place, "busybox");
    if ((await readFile(path).catch(() => null)) !== null) return path;
  }
  throw new Error("no busybox on the PATH");
}

interface CpioFile {
  readonly name: string;
  readonly mode: number;
  readonly device?: readonly [number, number];
  readonly data: Buffer;
}

const folder = (name: string): CpioFile => ({ name, mode: 0o040755, data: Buffer.alloc(0) });
const program = (name: string, data: Buffer): CpioFile => ({ name, mode: 0o100755, data });

/** The "newc" form, as the kernel reads it (Documentation/driver-api/early-userspace/buffer-format.rst). */
function cpio(files: readonly CpioFile[]): Buffer {
  const end: CpioFile = { name: "TRAILER!!!", mode: 0, data: Buffer.alloc(0) };
  return Buffer.concat([...files, end].map((file, index) => cpioEntry(file, index + 1)));
}

function cpioEntry({ name, mode, device = [0, 0], data }: CpioFile, inode: number): Buffer {
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
  return Buffer.concat([padded(Buffer.from(header, "latin1")), padded(data)]);
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
