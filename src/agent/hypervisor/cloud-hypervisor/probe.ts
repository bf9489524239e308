/** What Cloud Hypervisor there is on this host, asked of the program itself. */
import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import { standingOf } from "../../../model/cloud-hypervisor/version.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { HypervisorReport } from "../../../model/observed-state.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Seccomp } from "../../config.ts";
import { runTool } from "../run-tool.ts";
import type { CloudHypervisorHost, FirmwareName } from "./host.ts";
import { requireSupported } from "./version.ts";

export interface CloudHypervisorSettings {
  /** A path, or a name on the PATH. */
  readonly executable: string;
  readonly seccomp: Seccomp;
  /** Confine each process to the files of its own VM, by its own Landlock. */
  readonly landlock: boolean;
  /** Left out: /sys/kernel/security/lsm. */
  readonly lsmFile?: string;
  /** Absolute path of guest/tiny.elf. */
  readonly tinyGuest: string;
  readonly clock: Clock;
  /** How long a guest may take to let go of a device that is removed. */
  readonly removalMs?: number;
}

/** Where its packages put firmware images, and where people who build it themselves do. */
const FIRMWARE_FOLDERS = [
  "/usr/share/cloud-hypervisor",
  "/usr/local/share/cloud-hypervisor",
  "/usr/lib/cloud-hypervisor",
  "/usr/share/edk2/cloudhv",
  "/var/lib/cloud-hypervisor",
];
const FIRMWARE_FILES: Readonly<Record<FirmwareName, readonly string[]>> = {
  uefi: ["CLOUDHV.fd", "CLOUDHV_EFI.fd"],
  "hypervisor-fw": ["hypervisor-fw"],
};

/** What the kernel was started with; not there where nobody mounted securityfs. */
const LSM_FILE = "/sys/kernel/security/lsm";

/** Each process would end at its start, with words that nobody understands. Where it cannot be seen, they will tell. */
async function requireLandlock(lsmFile: string): Promise<void> {
  const modules = await readFile(lsmFile, "utf8").catch(() => null);
  if (modules === null || modules.trim().split(",").includes("landlock")) return;
  throw new OdoroboError("HYPERVISOR_UNAVAILABLE", "the agent was started with --landlock, and this kernel has none", {
    hint: `start the kernel with lsm=landlock,${modules.trim()}, or the agent without --landlock`,
  });
}

/** Null: it is not here. Rejects with HYPERVISOR_UNAVAILABLE for a version that lacks what is needed, and without the Landlock asked for. */
export async function probeCloudHypervisor(
  settings: CloudHypervisorSettings,
  signal: AbortSignal,
): Promise<CloudHypervisorHost | null> {
  const { stdout } = await runTool(settings.executable, ["-v", "--version"], { signal });
  const version = parseVersion(stdout);
  if (version === null) return null;
  requireSupported(version);
  if (settings.landlock) await requireLandlock(settings.lsmFile ?? LSM_FILE);
  return describeHost(settings, version, parseFeatures(stdout));
}

/** Also for guests that run on while their program is being replaced. */
export async function describeHost(
  { executable, seccomp, landlock, tinyGuest }: CloudHypervisorSettings,
  version: string,
  features: readonly string[],
): Promise<CloudHypervisorHost> {
  const [kvm, firmware] = await Promise.all([isUsable("/dev/kvm", constants.R_OK | constants.W_OK), findFirmware()]);
  const architecture = architectureOf(process.arch);
  return { executable, version, features, architecture, kvm, firmware, seccomp, landlock, tinyGuest };
}

export function toReport(host: CloudHypervisorHost): HypervisorReport {
  // Plugged by ACPI, which its arm64 guests have not.
  const plugsCpus = host.architecture === "x86_64";
  return {
    kind: "cloud-hypervisor",
    version: host.version,
    ...(standingOf(host.version) === "untried" ? { untried: true as const } : {}),
    ...(host.kvm ? { accelerator: "kvm" } : {}),
    capabilities: {
      // Of a guest that is not seen; a running one's own rules say more.
      live: {
        cpusUp: plugsCpus,
        cpusDown: plugsCpus,
        memoryUp: true,
        memoryDown: false,
        diskGrow: true,
        diskAttach: true,
        diskDetach: true,
        nicAttach: true,
        nicDetach: true,
      },
      pause: true,
      migrate: true,
      moves: { live: true, ownDisks: false },
      bootKinds: ["firmware", "kernel"],
      diskKinds: ["image", "blank", "file"],
      nicKinds: ["bridge"],
      cloudInit: true,
      firmware: host.firmware.size === 0 ? [] : ["default", ...host.firmware.keys()],
    },
  };
}

/** `cloud-hypervisor v53.0.0` → `53.0.0`, as `vmm.ping` says it. */
export const parseVersion = (text: string): string | null =>
  /^cloud-hypervisor v?(\d+\.\d+(?:\.\d+)?\S*)/m.exec(text)?.[1] ?? null;

/** `Enabled features: ["io_uring", "kvm"]` */
export const parseFeatures = (text: string): readonly string[] =>
  [...(/^Enabled features: \[(.*)\]/m.exec(text)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? "");

function architectureOf(arch: string): CloudHypervisorHost["architecture"] {
  if (arch === "x64") return "x86_64";
  if (arch === "arm64") return "aarch64";
  throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `Cloud Hypervisor does not run guests on ${arch}`, {
    hint: "it needs an x86-64 or 64-bit ARM host",
  });
}

async function findFirmware(): Promise<ReadonlyMap<FirmwareName, string>> {
  const found = new Map<FirmwareName, string>();
  for (const [name, files] of Object.entries(FIRMWARE_FILES) as [FirmwareName, readonly string[]][]) {
    const candidates = FIRMWARE_FOLDERS.flatMap((folder) => files.map((file) => join(folder, file)));
    for (const path of candidates) {
      if (found.has(name) || !(await isUsable(path, constants.R_OK))) continue;
      found.set(name, path);
    }
  }
  return found;
}

const isUsable = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );
