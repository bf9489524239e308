/** VmConfigs as people send and read them, and the specs that odorobo keeps of them. */
import { checkVmConfig } from "../../../model/cloud-hypervisor/check-vm-config.ts";
import { fromVmConfig } from "../../../model/cloud-hypervisor/from-vm-config.ts";
import type { VmConfigPlaces } from "../../../model/cloud-hypervisor/places.ts";
import { toVmConfig } from "../../../model/cloud-hypervisor/to-vm-config.ts";
import type { DiskConfig, VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import { BUILTIN_TINY_GUEST, type VmSpec } from "../../../model/vm-spec.ts";
import { ownDiskFile, seedImageFile, tapName, type VmPaths } from "../../launch-command.ts";

/** The id as its maker wrote it, where that is not the VM's name. */
const ID_ANNOTATION = "odorobo.dev/vm-id";
/** Spawned without a configuration, which is still to come: the spec is a stand-in. */
const SHELL_ANNOTATION = "odorobo.dev/awaits-config";

/** What nobody says in a VmConfig, and a person who makes a VM by hand has not asked for. */
const BY_HAND: Omit<VmSpec, "cpus" | "memory" | "boot" | "disks" | "nics" | "passthrough" | "annotations"> = {
  hypervisor: "cloud-hypervisor",
  runStrategy: "Manual",
  labels: {},
  cloudInit: null,
  ready: null,
  migration: { mode: "live", downtimeMs: 300, timeoutSeconds: 3600 },
  onDrain: "block",
  group: null,
  protect: false,
  // Its disks are its maker's: there is nothing to keep.
  retainDisksSeconds: 0,
  shutdownGraceSeconds: 90,
  weights: { cpu: null, io: null },
};

/** Throws BAD_REQUEST with all that is wrong with it, UNSUPPORTED for disks that cannot be opened. */
export function specOf(id: string, name: VmName, config: VmConfig, version: string | null): VmSpec {
  const own = withOurs(config);
  const problems = checkVmConfig(own, { version });
  if (problems.length > 0) {
    const told = problems.map(({ path, message, hint }) => `${path.join(".") || "config"}: ${message} (${hint})`);
    throw new OdoroboError("UNSUPPORTED", "this is no configuration that Cloud Hypervisor could run", {
      hint: told.join("; "),
    });
  }
  return { ...BY_HAND, annotations: idAnnotation(id, name), ...fromVmConfig(own) };
}

/** Boots the guest that odorobo brings along, if somebody starts it all the same. */
export const shellSpec = (id: string, name: VmName): VmSpec => ({
  ...BY_HAND,
  annotations: { ...idAnnotation(id, name), [SHELL_ANNOTATION]: "true" },
  cpus: { count: 1, max: 1 },
  memory: { sizeMiB: 512, maxMiB: 512 },
  boot: { kind: "kernel", kernel: BUILTIN_TINY_GUEST, initramfs: null, cmdline: "" },
  disks: [],
  nics: [],
  passthrough: {},
});

export const isShell = (spec: VmSpec): boolean => spec.annotations[SHELL_ANNOTATION] !== undefined;

/** As its maker wrote it. */
export const idOf = (name: VmName, spec: VmSpec): string => spec.annotations[ID_ANNOTATION] ?? name;

const idAnnotation = (id: string, name: VmName): VmSpec["annotations"] => (id === name ? {} : { [ID_ANNOTATION]: id });

/** What its maker sees of a VM that is off. Throws UNSUPPORTED for a spec that Cloud Hypervisor cannot have. */
export const configOf = (name: VmName, spec: VmSpec, paths: VmPaths, version: string | null): VmConfig =>
  toVmConfig({ name, spec, places: placesToShow(name, paths), version });

/** Names that only the boot makes files of (a firmware's, the builtin guest's) stay as they are. */
const placesToShow = (name: VmName, paths: VmPaths): VmConfigPlaces => ({
  kernel: (path) => path,
  firmware: (firmware) => firmware,
  ownDisk: (disk) => ownDiskFile(paths, disk) ?? "",
  seedImage: seedImageFile(paths),
  consoleSocket: `${paths.runFolder}/console.sock`,
  tap: (nic) => tapName(name, nic),
  landlock: null,
});

/** The lines of the guest are the agent's, whatever was asked for: so it was with the Rust agent. */
function withOurs({ serial: _serial, console: _console, ...rest }: VmConfig): VmConfig {
  return Array.isArray(rest.disks) ? { ...rest, disks: rest.disks.map(withPath) } : rest;
}

/** It took URLs for paths of disks. */
function withPath(disk: DiskConfig): DiskConfig {
  const path: unknown = disk?.path;
  return typeof path === "string" && path.startsWith("file:///")
    ? { ...disk, path: path.slice("file://".length) }
    : disk;
}
