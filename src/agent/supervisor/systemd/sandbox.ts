/**
 * What a hypervisor's process is held to: it sees and changes what its VM needs, and nothing else of the node.
 *
 *   LaunchCommand.needs → [sandbox.ts] → unit-properties.ts → systemd
 *
 * Pure. A hypervisor is the wall between a guest and the node; this is the wall behind it. What stands here was chosen so
 * that Cloud Hypervisor and QEMU (emulating, too) notice nothing of it.
 */
import type { LaunchCommand, ProcessNeeds } from "../../launch-command.ts";
import { capabilityMask } from "./capabilities.ts";
import type { Property } from "./manager.ts";

export interface Confinement {
  /** The unprivileged user that guests run as; null: the user of the service manager. */
  readonly user: { readonly name: string; readonly group: string } | null;
  /** Groups that may open the devices it needs. */
  readonly deviceGroups: readonly string[];
  /** Folders of which a process sees only what it needs: other VMs' disks and sockets, tokens. Absolute; they exist. */
  readonly hidden: readonly string[];
}

/** An empty folder. Writable for the service manager, which makes room in it for what is let in later; with room for that only. */
const VEIL = "mode=0755,size=64k,nr_inodes=4k";

/** Emptied for each process, so that what it needs below them is put back one by one. */
export const PRIVATE_FOLDERS = ["/tmp", "/var/tmp"];
const HOMES = ["/home", "/root", "/run/user"];

export function sandboxProperties(command: LaunchCommand, confinement: Confinement): readonly Property[] {
  const { needs } = command;
  const { user, deviceGroups, hidden } = confinement;
  const paths = pathsOf(command, hidden);
  const wholeHomes = [...paths.writable, ...paths.readable].some((path) => isBelow(path, HOMES));
  return [
    ...(user === null
      ? []
      : ([
          ["User", "s", user.name],
          ["Group", "s", user.group],
          ["SupplementaryGroups", "as", deviceGroups],
        ] satisfies Property[])),
    ["NoNewPrivileges", "b", true],
    ["CapabilityBoundingSet", "t", capabilityMask(needs.capabilities)],
    ["AmbientCapabilities", "t", user === null ? 0n : capabilityMask(needs.capabilities)],
    // The file system: all of it read-only, of some of it only what is needed, writable only what is written.
    ["ProtectSystem", "s", "strict"],
    ["ProtectHome", "s", wholeHomes ? "read-only" : "tmpfs"],
    ["PrivateTmp", "b", true],
    ["TemporaryFileSystem", "a(ss)", hidden.map((path) => [path, VEIL])],
    ["BindPaths", "a(ssbt)", paths.writable.map(asBind)],
    ["BindReadOnlyPaths", "a(ssbt)", paths.readable.map(asBind)],
    ["ReadWritePaths", "as", paths.openForWriting.map((path) => `-${path}`)],
    ["UMask", "u", 0o077],
    // The kernel.
    ["ProtectKernelTunables", "b", true],
    ["ProtectKernelModules", "b", true],
    ["ProtectKernelLogs", "b", true],
    ["ProtectControlGroups", "b", true],
    ["ProtectClock", "b", true],
    ["ProtectHostname", "b", true],
    ["ProtectProc", "s", "invisible"],
    ["RestrictNamespaces", "t", 0n],
    ["RestrictSUIDSGID", "b", true],
    ["RestrictRealtime", "b", true],
    ["LockPersonality", "b", true],
    ["KeyringMode", "s", "private"],
    ["RestrictAddressFamilies", "(bas)", [true, ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK"]]],
    ["SystemCallArchitectures", "as", ["native"]],
    ["SystemCallFilter", "(bas)", [false, REFUSED_CALLS]],
    // Refused, not killed: a guest does not end because its hypervisor tried something that it can do without.
    ["SystemCallErrorNumber", "i", EPERM],
    ...deviceProperties(needs),
  ];
}

/** Apart, because it can change while the process runs. */
export const deviceProperties = (needs: ProcessNeeds): readonly Property[] => [
  ["DevicePolicy", "s", "closed"],
  ["DeviceAllow", "a(ss)", needs.devices.map((device) => [device, "rw"])],
];

const EPERM = 1;
const REFUSED_CALLS = ["@clock", "@debug", "@module", "@mount", "@obsolete", "@raw-io", "@reboot", "@swap"];

interface Paths {
  /** Bound into what is hidden otherwise. */
  readonly writable: readonly string[];
  readonly readable: readonly string[];
  /** Seen anyway, and opened for writing. */
  readonly openForWriting: readonly string[];
}

export function pathsOf(
  command: Pick<LaunchCommand, "executable" | "workingFolder" | "needs">,
  hidden: readonly string[],
): Paths {
  const veiled = [...hidden, ...PRIVATE_FOLDERS, ...HOMES];
  const writes = [command.workingFolder, ...command.needs.writes];
  const reads = [command.executable, ...command.needs.reads];
  return {
    writable: unique(writes.filter((path) => isBelow(path, veiled))),
    readable: unique(reads.filter((path) => isBelow(path, veiled) && !isBelow(path, writes))),
    openForWriting: unique(writes.filter((path) => !isBelow(path, veiled))),
  };
}

/** Also when it is one of them. */
export const isBelow = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`));

/** What is not there is left out: the hypervisor says so in its own words. MS_REC, as systemd's `rbind`. */
const asBind = (path: string): readonly [string, string, boolean, bigint] => [path, path, true, 0x4000n];

const unique = (paths: readonly string[]): readonly string[] => [...new Set(paths)].sort();
