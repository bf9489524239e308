/** VmConfigs as people send and read them, and the specs that odorobo keeps of them. */
import { AWAITS_CONFIG } from "../../../model/awaits-config.ts";
import { type ConfigProblem, checkVmConfig } from "../../../model/cloud-hypervisor/check-vm-config.ts";
import { fromVmConfig } from "../../../model/cloud-hypervisor/from-vm-config.ts";
import type { VmConfigPlaces } from "../../../model/cloud-hypervisor/places.ts";
import { toVmConfig } from "../../../model/cloud-hypervisor/to-vm-config.ts";
import type { DiskConfig, VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { OdoroboError } from "../../../model/errors.ts";
import { filePath } from "../../../model/identity/disk-url.ts";
import type { VmName } from "../../../model/names.ts";
import { BUILTIN_TINY_GUEST, type VmSpec } from "../../../model/vm-spec.ts";
import { ownDiskFile, seedImageFile, tapName, type VmPaths } from "../../launch-command.ts";

/** The id as its maker wrote it, where that is not the VM's name. */
const ID_ANNOTATION = "odorobo.dev/vm-id";

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

/** Throws UNSUPPORTED with all that is wrong with it. */
export function specOf(id: string, name: VmName, config: VmConfig, version: string | null): VmSpec {
  const own = withOurs(config);
  const problems = checkVmConfig(own, { version });
  // Only of one that is what it should be can be said where its paths are.
  const found = problems.length > 0 ? problems : pathProblems(own);
  if (found.length > 0) {
    const told = found.map(({ path, message, hint }) => `${path.join(".") || "config"}: ${message} (${hint})`);
    throw new OdoroboError("UNSUPPORTED", "this is no configuration that Cloud Hypervisor could run", {
      hint: told.join("; "),
    });
  }
  return { ...BY_HAND, annotations: idAnnotation(id, name), ...fromVmConfig(own) };
}

/** Nobody can boot it; a guest from elsewhere may come into it. */
export const shellSpec = (id: string, name: VmName): VmSpec => ({
  ...BY_HAND,
  annotations: { ...idAnnotation(id, name), [AWAITS_CONFIG]: "true" },
  cpus: { count: 1, max: 1 },
  memory: { sizeMiB: 512, maxMiB: 512 },
  boot: { kind: "kernel", kernel: BUILTIN_TINY_GUEST, initramfs: null, cmdline: "" },
  disks: [],
  nics: [],
  passthrough: {},
});

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
  tap: (nic) => tapName(name, nic),
  landlock: null,
});

/** The process runs in a folder of its own, and opens files and devices only. */
function pathProblems({ payload, disks }: VmConfig): readonly ConfigProblem[] {
  const paths = [
    ...(["kernel", "initramfs", "firmware"] as const).map((key) => [["payload", key], payload?.[key]] as const),
    ...(disks ?? []).map((disk, index) => [["disks", index, "path"], disk.path] as const),
  ];
  return paths.flatMap(([path, value]) => {
    if (value === undefined || value.startsWith("/")) return [];
    const isUrl = /^[a-z]+:\/\//.test(value);
    const hint = isUrl ? "map the volume on the node first, and give its device" : "begin it with /";
    return [{ path, message: `${value.slice(0, 200)} is no absolute path`, hint }];
  });
}

/** The lines of the guest are the agent's, whatever was asked for: so it was with the Rust agent. */
function withOurs(config: VmConfig): VmConfig {
  const { serial: _serial, console: _console, ...rest } = withoutNulls(config) as VmConfig;
  return Array.isArray(rest.disks) ? { ...rest, disks: rest.disks.map(withPath) } : rest;
}

/** What is null was left out: so its parser read it. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(given.map(([key, each]) => [key, withoutNulls(each)]));
}

/** It took URLs for paths of disks. */
function withPath(disk: DiskConfig): DiskConfig {
  const path: unknown = disk?.path;
  if (typeof path !== "string" || !path.startsWith("file:///")) return disk;
  return { ...disk, path: filePath(path) ?? path };
}
