/**
 * What a test needs of the machine beyond Node. Where something is missing the test is left out, never silently:
 * each is noted in the file named by ODOROBO_TEST_SKIPS (one JSON line each), and the runner prints the list and the
 * `apt-get install` line that would add it.
 *
 *   describe.runIf(requires("guests on a real QEMU", "qemu-system-x86_64"))("…", () => { … });
 */
import { accessSync, appendFileSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

interface Requirement {
  /** The Debian package that brings it; null: nothing one can install (a permission, a kernel feature). */
  readonly debianPackage: string | null;
  readonly isHere: () => boolean;
  /** What only some machines have and nobody must: said when it is missing, never a failure of `--nothing-left-out`. */
  readonly isOptional?: true;
}

/** The published description of Cloud Hypervisor's API, where somebody put it beside the checkout. */
export const CLOUD_HYPERVISOR_OPENAPI = fileURLToPath(
  new URL("../../../shared/spec/cloud-hypervisor-v53.0.yaml", import.meta.url),
);

const onPath = (debianPackage: string, program: string): Requirement => ({
  debianPackage,
  isHere: () => isOnPath(program),
});

const REQUIREMENTS = {
  "qemu-system-x86_64": onPath("qemu-system-x86", "qemu-system-x86_64"),
  /** Not in every container: what only block devices do is seen where there are some. */
  "loop-devices": {
    debianPackage: null,
    isOptional: true,
    isHere: () => process.getuid?.() === 0 && isReadable("/dev/loop-control") && isOnPath("losetup"),
  },
  "qemu-img": onPath("qemu-utils", "qemu-img"),
  "qemu-nbd": onPath("qemu-utils", "qemu-nbd"),
  gcc: onPath("gcc", "gcc"),
  ld: onPath("binutils", "ld"),
  git: onPath("git", "git"),
  ip: onPath("iproute2", "ip"),
  nft: onPath("nftables", "nft"),
  dnsmasq: onPath("dnsmasq-base", "dnsmasq"),
  openssl: onPath("openssl", "openssl"),
  "ssh-keygen": onPath("openssh-client", "ssh-keygen"),
  gpg: onPath("gnupg", "gpg"),
  /** Started by its whole path, as it wants. */
  sshd: { debianPackage: "openssh-server", isHere: () => canAccess("/usr/sbin/sshd", constants.X_OK) },
  isoinfo: onPath("genisoimage", "isoinfo"),
  python3: onPath("python3", "python3"),
  script: onPath("bsdutils", "script"),
  /** A terminal that a test can look at. */
  tmux: onPath("tmux", "tmux"),
  promtool: onPath("prometheus", "promtool"),
  virsh: onPath("libvirt-clients", "virsh"),
  curl: onPath("curl", "curl"),
  /** Looks at the page as people do. */
  chromium: onPath("chromium", "chromium"),
  xz: onPath("xz-utils", "xz"),
  bzip2: onPath("bzip2", "bzip2"),
  etcd: onPath("etcd-server", "etcd"),
  etcdctl: onPath("etcd-client", "etcdctl"),
  /** Some have one to talk to; everybody has the stand-in. */
  gitea: {
    debianPackage: null,
    isOptional: true,
    isHere: () => process.env.ODOROBO_TEST_GITEA !== undefined || isOnPath("gitea") || isOnPath("forgejo"),
  },
  busybox: onPath("busybox-static", "busybox"),
  "linux-kernel": {
    debianPackage: "linux-image-cloud-amd64",
    isHere: () => listFolder("/boot").some((file) => /^vmlinuz-.*-cloud-amd64$/.test(file)),
  },
  systemd: { debianPackage: "systemd", isHere: () => existsSync("/lib/systemd/systemd") },
  busctl: onPath("systemd", "busctl"),
  "systemd-sysusers": onPath("systemd", "systemd-sysusers"),
  "systemd-nspawn": onPath("systemd-container", "systemd-nspawn"),
  "dbus-daemon": onPath("dbus", "dbus-daemon"),
  /** Without it a user's systemd has no bus of its own. */
  "user-bus": {
    debianPackage: "dbus-user-session",
    isHere: () => existsSync("/usr/lib/systemd/user/dbus.socket"),
  },
  /** Control groups of the test's own, ended by one write (Linux 5.14). */
  "control-groups": {
    debianPackage: null,
    isHere: () =>
      process.getuid?.() === 0 &&
      ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].some((root) => existsSync(join(root, "cgroup.procs"))) &&
      (effectiveCapabilities() & CAP_SYS_ADMIN) !== 0n,
  },
  /** New network namespaces, taps and bridges. */
  "network-admin": {
    debianPackage: null,
    isHere: () => process.getuid?.() === 0 && isReadable("/dev/net/tun"),
  },
  /** Small file systems of the test's own: root with CAP_SYS_ADMIN. */
  mounts: {
    debianPackage: null,
    isHere: () => process.getuid?.() === 0 && (effectiveCapabilities() & CAP_SYS_ADMIN) !== 0n,
  },
  /** File systems that a test serves itself. */
  fuse: {
    debianPackage: null,
    isOptional: true,
    isHere: () =>
      process.getuid?.() === 0 && (effectiveCapabilities() & CAP_SYS_ADMIN) !== 0n && isReadable("/dev/fuse"),
  },
  /** A real one that could run guests: without it the stories are told by the double alone. */
  "cloud-hypervisor": {
    debianPackage: null,
    isHere: () => isOnPath("cloud-hypervisor") && canAccess("/dev/kvm", constants.R_OK | constants.W_OK),
    isOptional: true,
  },
  "cloud-hypervisor-openapi": {
    debianPackage: null,
    isHere: () => isReadable(CLOUD_HYPERVISOR_OPENAPI),
    isOptional: true,
  },
} as const satisfies Record<string, Requirement>;

export type RequirementName = keyof typeof REQUIREMENTS;

/** One line of the file named by ODOROBO_TEST_SKIPS. */
export interface LeftOut {
  /** What is not tested, as the test says it. */
  readonly what: string;
  readonly missing: readonly RequirementName[];
  /** Debian packages that would add what is missing, sorted. */
  readonly packages: readonly string[];
  /** All that is missing is what nobody must have. */
  readonly isOptional: boolean;
}

/** Whether the machine has all of these; if not, notes what is left out. */
export function requires(what: string, ...needs: readonly RequirementName[]): boolean {
  const missing = needs.filter((name) => !REQUIREMENTS[name].isHere());
  if (missing.length === 0) return true;
  const packages = missing.map((name) => REQUIREMENTS[name].debianPackage).filter((name) => name !== null);
  const isOptional = missing.every((name) => "isOptional" in REQUIREMENTS[name]);
  const line: LeftOut = { what, missing, packages: [...new Set(packages)].sort(), isOptional };
  const file = process.env.ODOROBO_TEST_SKIPS;
  if (file) appendFileSync(file, `${JSON.stringify(line)}\n`);
  return false;
}

/** Every Debian package that any test may ask for: what a CI machine installs first. Sorted. */
export const ALL_PACKAGES: readonly string[] = [
  ...new Set(
    Object.values(REQUIREMENTS)
      .map((requirement) => requirement.debianPackage)
      .filter((name) => name !== null),
  ),
].sort();

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(path: string): boolean {
  return canAccess(path, constants.X_OK);
}

function isReadable(path: string): boolean {
  return canAccess(path, constants.R_OK);
}

function canAccess(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** <linux/capability.h> */
const CAP_SYS_ADMIN = 1n << 21n;

function effectiveCapabilities(): bigint {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return hex === undefined ? 0n : BigInt(`0x${hex}`);
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
