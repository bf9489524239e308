/** What a QEMU process uses of its host, for supervisors that hold it to that. Pure. */
import { filePath } from "../../../model/identity/disk-url.ts";
import { BUILTIN_TINY_GUEST, type Disk, type VmSpec } from "../../../model/vm-spec.ts";
import { ownDiskFile, type ProcessNeeds, seedImageFile } from "../../launch-command.ts";
import type { LaunchInput } from "../hypervisor.ts";
import type { QemuHost } from "./host.ts";

/**
 * What the process needs beside the guest's memory: 1/16 of it (page tables, and what an emulator keeps of translated code)
 * and a fixed part for devices, block jobs and caches. Generous, because the kernel ends a guest that comes to the limit.
 */
const OWN_MIB = 1024;
const SHARE_OF_GUEST = 16;

type Vm = Pick<LaunchInput, "spec" | "paths" | "images">;

export function processNeeds(vm: Vm, host: QemuHost): ProcessNeeds {
  const { spec, paths } = vm;
  const disks = spec.disks.map((disk) => ({ ...filesOf(disk, vm), readonly: disk.readonly }));
  const written = disks.flatMap(({ own, readonly }) => (readonly ? [] : own));
  const read = disks.flatMap(({ own, backing, readonly }) => (readonly ? [...own, ...backing] : backing));
  const bridged = spec.nics.some(({ attachment }) => attachment.kind === "bridge");
  return {
    reads: unique([...bootFiles(spec, host), ...read, ...(spec.cloudInit === null ? [] : [seedImageFile(paths)])]),
    // Its serial log stands in the log folder.
    writes: unique([paths.logFolder, ...written]),
    devices: unique([
      ...(host.accelerator === "kvm" ? ["/dev/kvm"] : []),
      ...(bridged ? ["/dev/net/tun"] : []),
      ...(bridged && host.vhostNet ? ["/dev/vhost-net"] : []),
      ...[...written, ...read].filter((path) => path.startsWith("/dev/")),
    ]),
    capabilities: [],
    memoryMaxMiB: spec.memory.maxMiB + OWN_MIB + Math.ceil(spec.memory.maxMiB / SHARE_OF_GUEST),
    cpuWeight: spec.weights.cpu,
    ioWeight: spec.weights.io,
  };
}

function bootFiles({ boot }: VmSpec, host: QemuHost): readonly string[] {
  if (boot.kind === "firmware") {
    const image = boot.firmware === "uefi" ? host.uefiFirmware : boot.firmware;
    return image?.startsWith("/") === true ? [image] : [];
  }
  const kernel = boot.kernel === BUILTIN_TINY_GUEST ? host.tinyGuest : boot.kernel;
  return boot.initramfs === null ? [kernel] : [kernel, boot.initramfs];
}

/** Disks on the network have none. */
function filesOf(
  disk: Disk,
  { paths, images = {} }: Vm,
): { readonly own: readonly string[]; readonly backing: readonly string[] } {
  const { origin } = disk;
  const own = ownDiskFile(paths, disk);
  if (own !== null) return { own: [own], backing: images[disk.name] ?? (origin.kind === "image" ? [origin.path] : []) };
  const file = origin.kind === "external" ? filePath(origin.url) : null;
  return { own: file === null ? [] : [file], backing: [] };
}

const unique = (paths: readonly string[]): readonly string[] => [...new Set(paths)].sort();
