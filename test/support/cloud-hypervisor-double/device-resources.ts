/** What is opened on the host for a device: images, taps, back ends, nodes. Closed when the device goes. */
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { type DiskImage, openImage } from "./disk-image.ts";
import { bindText, ioText, Refusal, withinAsync } from "./refusal.ts";
import type { DeviceList, DiskConfig, NetConfig, PciDevice, PmemConfig, VdpaConfig, VsockConfig } from "./vm-config.ts";

/** What may be opened: everything, unless landlock forbids. */
export type MayOpen = (path: string) => boolean;

export interface Resource {
  readonly image: DiskImage | null;
  close(): void;
}

export const NOTHING: Resource = { image: null, close: () => {} };

const failed = (...chain: readonly string[]): Refusal => new Refusal("other", ...chain);

export async function openResource(list: DeviceList, device: PciDevice, mayOpen: MayOpen): Promise<Resource> {
  switch (list) {
    case "disks":
      return openDisk(device as DiskConfig, mayOpen);
    case "net":
      return openNic(device as NetConfig);
    case "fs":
      return withinAsync("Cannot create virtio-fs device", () =>
        connectBackend((device as { socket?: string }).socket),
      );
    case "generic_vhost_user":
      return withinAsync("Cannot create generic vhost-user device", () =>
        connectBackend((device as { socket?: string }).socket),
      );
    case "pmem":
      return openPmem(device as PmemConfig, mayOpen);
    case "vdpa":
      return openNode((device as VdpaConfig).path, [
        "Cannot create vdpa device",
        "Failed to create vhost-vdpa",
        "failure in opening vhost file: ",
      ]);
    case "vsock":
      return openVsock(device as VsockConfig);
    case "devices":
      return openNode(
        "/dev/vfio/vfio",
        ["Cannot create a VFIO device", "failed to open /dev/vfio/vfio container: "],
        true,
      );
    case "user_devices":
      return withinAsync("Failed to create vfio-user client", () =>
        connectBackend((device as { socket?: string }).socket),
      );
  }
}

async function openDisk(disk: DiskConfig, mayOpen: MayOpen): Promise<Resource> {
  if (disk.vhost_user)
    return withinAsync("Cannot create vhost-user-blk device", () => connectBackend(disk.vhost_socket));
  const path = disk.path;
  if (path === undefined) throw failed("No disk path was specified when one was expected");
  if (!mayOpen(path))
    throw failed("Cannot open disk path", `I/O error (path=${path} op=open)`, "Permission denied (os error 13)");
  const image = openImage(path, disk.readonly, disk.image_type ?? "Unknown");
  if (image.hasBackingFile && disk.backing_files === false) {
    image.close();
    throw failed("Cannot create virtio-blk device", "Failure in qcow", "Backing files are disabled");
  }
  if (disk.image_type === "Unknown") {
    disk.image_type = image.format;
    if (image.format === "Qcow2") disk.backing_files = false;
  }
  return { image, close: () => image.close() };
}

/** Flags of a tap, <linux/if_tun.h>. */
const IFF_MULTI_QUEUE = 0x0100;

async function openNic(nic: NetConfig): Promise<Resource> {
  if (nic.vhost_user) {
    if (nic.vhost_mode === "Server") return NOTHING;
    return withinAsync("Cannot create vhost-user-net device", () => connectBackend(nic.vhost_socket));
  }
  const tapError = (why: string): Refusal =>
    failed("Cannot create virtio-net device", "Failed to open taps", "Failed to open tap device", why);
  const flags = nic.tap === undefined ? null : tunFlags(nic.tap);
  // Whoever may administer the network gets a new tap where there is none.
  if (flags === null) {
    if (!mayAdministerNetwork()) throw tapError("Operation not permitted (os error 1)");
    return NOTHING;
  }
  const wantsMany = nic.num_queues > 2;
  if (wantsMany !== ((flags & IFF_MULTI_QUEUE) !== 0)) throw tapError("Invalid argument (os error 22)");
  return NOTHING;
}

function tunFlags(tap: string): number | null {
  const file = `/sys/class/net/${tap}/tun_flags`;
  return existsSync(file) ? Number(readFileSync(file, "utf8").trim()) : null;
}

/** <linux/capability.h> */
const CAP_NET_ADMIN = 1n << 12n;

function mayAdministerNetwork(): boolean {
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${capabilities}`) & CAP_NET_ADMIN) !== 0n;
}

/** The other end keeps its connection as long as the device lives. */
function connectBackend(path: string | undefined): Promise<Resource> {
  return new Promise((resolve, reject) => {
    const socket = connect(path ?? "");
    socket.once("error", (error) => reject(failed("Failed to connect to the vhost-user backend", ioText(error))));
    socket.once("connect", () => {
      socket.on("error", () => socket.destroy());
      resolve({ image: null, close: () => socket.destroy() });
    });
  });
}

function openPmem(pmem: PmemConfig, mayOpen: MayOpen): Resource {
  const MEBI = 1024 * 1024;
  if (pmem.size !== undefined && pmem.size % (2 * MEBI) !== 0)
    throw failed("Trying to use a size that is not multiple of 2MiB");
  if (!mayOpen(pmem.file)) throw failed("Cannot open persistent memory file", "Permission denied (os error 13)");
  return openNode(pmem.file, ["Cannot open persistent memory file", ""]);
}

/** `chain`: the last part is put before the reason; VFIO says the reason once more. */
function openNode(path: string, chain: readonly string[], isRepeated = false): Resource {
  try {
    const fd = openSync(path, "r+");
    return { image: null, close: () => closeSync(fd) };
  } catch (error) {
    const outer = chain.slice(0, -1);
    const inner = `${chain.at(-1)}${ioText(error)}`;
    throw failed(...outer, inner, ...(isRepeated ? [ioText(error)] : []));
  }
}

function openVsock(vsock: VsockConfig): Promise<Resource> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end());
    server.once("error", (error) => {
      reject(
        failed(
          "Cannot create virtio-vsock backend",
          "Error binding to the host-side Unix socket",
          bindText(error, vsock.socket),
        ),
      );
    });
    server.listen(vsock.socket, () => {
      resolve({
        image: null,
        close() {
          server.close();
          rmSync(vsock.socket, { force: true });
        },
      });
    });
  });
}
