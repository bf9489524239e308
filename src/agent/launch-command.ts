/** What hypervisors, supervisors, disks and lifecycle hand to one another, as plain values. */
import { join } from "node:path";
import { digestOfText } from "../model/digest.ts";
import type { Disk } from "../model/vm-spec.ts";

/**
 * How a hypervisor and a supervisor work together without knowing each other: the hypervisor makes a LaunchCommand
 * (`compile`, pure), the supervisor runs it, lifecycle hands it over and then asks the hypervisor to connect.
 */
export interface LaunchCommand {
  /** What sort of process it is, short, as the name of a service has it: `ch`, `qemu`. Left out: `vm`. */
  readonly kind?: string;
  /** Absolute path, or a name looked up on the PATH. */
  readonly executable: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute; exists. */
  readonly workingFolder: string;
  /** Absolute; the process's stdout and stderr are appended here. */
  readonly outputFile: string;
  /** Left over sockets and pid files of an earlier life, removed before the start. */
  readonly staleFiles: readonly string[];
  /** What it uses of the host: a supervisor that can hold a process to that does; one that cannot takes no notice. */
  readonly needs: ProcessNeeds;
}

export interface ProcessNeeds {
  /** Files and folders that it opens beside `workingFolder` and `outputFile`: absolute paths. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** As systemd's DeviceAllow names them: `/dev/kvm`, or a group such as `block-rbd` (globs of paths have no effect there). */
  readonly devices: readonly string[];
  /** Linux capabilities without CAP_, beyond none: `NET_ADMIN`. */
  readonly capabilities: readonly string[];
  /** Memory that it may need at most, the guest's and its own; null: not limited. */
  readonly memoryMaxMiB: number | null;
  /** Shares when the host is busy, 1 to 10,000, as cgroup v2 has them; null: the host's default (100). */
  readonly cpuWeight: number | null;
  readonly ioWeight: number | null;
}

export const NEEDS_NOTHING: ProcessNeeds = {
  reads: [],
  writes: [],
  devices: [],
  capabilities: [],
  memoryMaxMiB: null,
  cpuWeight: null,
  ioWeight: null,
};

/** The folders of one VM. Socket paths must stay under 108 bytes: the agent keeps `runFolder` short. */
export interface VmPaths {
  /** Gone after a reboot of the host: sockets, pid files. */
  readonly runFolder: string;
  /** Outlives everything but the purge: disks, seed images. */
  readonly diskFolder: string;
  /** Serial log and hypervisor output. */
  readonly logFolder: string;
}

/** Where other programs of the node reach a guest's console: the agent listens there, or the process of a guest that an older one started. */
export const consoleSocket = (paths: VmPaths): string => join(paths.runFolder, "console.sock");

/** What a guest said on its serial line. */
export const consoleLog = (paths: VmPaths): string => join(paths.logFolder, "console.log");

/** By the folders that the agent was given. */
export const vmPaths = (
  { dataFolder, runFolder }: { readonly dataFolder: string; readonly runFolder: string },
  name: string,
): VmPaths => ({
  runFolder: join(runFolder, "vms", name),
  diskFolder: join(dataFolder, "vms", name, "disks"),
  logFolder: join(dataFolder, "vms", name, "logs"),
});

/**
 * Where the bytes of a disk of the agent's own are: overlays are qcow2, blank volumes sparse raw files. Null: they are someone else's.
 * `agent/storage` makes the file, the hypervisor opens it.
 */
export function ownDiskFile(paths: VmPaths, disk: Disk): string | null {
  switch (disk.origin.kind) {
    case "image":
      return join(paths.diskFolder, `${disk.name}.qcow2`);
    case "blank":
      return join(paths.diskFolder, `${disk.name}.raw`);
    case "external":
      return null;
  }
}

/** The cloud-init seed image, written before each boot of a VM whose spec has cloudInit. No disk's own file has this ending. */
export const seedImageFile = (paths: VmPaths): string => join(paths.diskFolder, "cloud-init.iso");

/**
 * The tap device behind a NIC on a bridge: `agent/network` makes it, the hypervisor opens it. Linux interface names have at most
 * 15 characters, VM and NIC names up to 63 each, so it is a digest. 48 bits: two of a host's 1,000 NICs collide on one host in five hundred million.
 */
export const tapName = (vm: string, nic: string): string => `odo${digestOfText(`${vm}/${nic}`).slice(0, 12)}`;
