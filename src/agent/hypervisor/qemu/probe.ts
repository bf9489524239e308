/** What QEMU there is on this host and what it can do here: asked of the programs themselves, never guessed from version numbers. */
import { access, constants } from "node:fs/promises";
import type { HypervisorReport } from "../../../model/observed-state.ts";
import type { Clock } from "../../../platform/clock.ts";
import { runTool } from "../run-tool.ts";
import { chooseAccelerator } from "./accelerator.ts";
import type { Accelerator, QemuHost } from "./host.ts";
import { toLimits } from "./limits.ts";
import { LIVE_CAPABILITIES } from "./live-changes.ts";
import { askForMachines } from "./machines.ts";
import { SANDBOX_ARGS } from "./sandbox.ts";

export interface QemuSettings {
  /** A path, or a name on the PATH. */
  readonly executable: string;
  /** `auto`: KVM where it truly works, else TCG. */
  readonly accelerator: Accelerator | "auto";
  /** Absolute path of guest/tiny.elf. */
  readonly tinyGuest: string;
  /** Remembers whether KVM works, so that it is tried once a boot of the host. Agents of one host may share it. Null: tried at each start. */
  readonly cacheFile: string | null;
  readonly clock: Clock;
  /** Left out: /dev/vhost-net. */
  readonly vhostNetDevice?: string;
  /** How long a guest may take to let go of a device that is detached. */
  readonly detachMs?: number;
}

/** Older ones lack options that we give (6.2 brought `sata=off` for q35 and hot-plug by ACPI behind PCI Express ports, 6.1). */
const OLDEST_VERSION = [6, 2] as const;

/** Where distributions put UEFI images: Debian and Ubuntu, Fedora and RHEL, Arch, openSUSE. */
const UEFI_IMAGES = [
  "/usr/share/OVMF/OVMF_CODE_4M.fd",
  "/usr/share/OVMF/OVMF_CODE.fd",
  "/usr/share/edk2/ovmf/OVMF_CODE.fd",
  "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
  "/usr/share/qemu/ovmf-x86_64-code.bin",
];

/** What does not change while the agent runs. */
export type ProbedHost = Omit<QemuHost, "vhostNet">;

/** Null: there is no QEMU, or one too old. */
export async function probeQemu(settings: QemuSettings, signal: AbortSignal): Promise<ProbedHost | null> {
  const { executable, tinyGuest } = settings;
  const version = parseVersion((await runTool(executable, ["--version"], { signal })).stdout);
  if (version === null || !isNewEnough(version)) return null;
  const [accelerator, sandbox, uefiFirmware, rbd, iscsi, { machine, machines, cpuMax }] = await Promise.all([
    settings.accelerator === "auto"
      ? chooseAccelerator({ ...settings, version, signal, kvmDevice: "/dev/kvm" })
      : settings.accelerator,
    canSandbox(executable, signal),
    firstReadable(UEFI_IMAGES),
    canLoad("rbd", signal),
    canLoad("iscsi", signal),
    askForMachines(executable, signal),
  ]);
  const limits = await toLimits(cpuMax, accelerator);
  const blockDrivers = [...(rbd ? (["rbd"] as const) : []), ...(iscsi ? (["iscsi"] as const) : [])];
  return {
    executable,
    version,
    accelerator,
    machine,
    machines,
    sandbox,
    uefiFirmware,
    blockDrivers,
    limits,
    tinyGuest,
  };
}

export const toReport = (host: ProbedHost): HypervisorReport => ({
  kind: "qemu",
  version: host.version,
  accelerator: host.accelerator,
  capabilities: {
    live: LIVE_CAPABILITIES,
    pause: true,
    // By hand it cannot.
    migrate: false,
    moves: { live: true, ownDisks: true },
    bootKinds: ["firmware", "kernel"],
    diskKinds: ["image", "blank", "file", "nbd", "nbd+unix", ...host.blockDrivers],
    nicKinds: ["user", "bridge", "none"],
    cloudInit: true,
    firmware: ["default", "bios", "seabios", ...(host.uefiFirmware === null ? [] : ["uefi"])],
    limits: host.limits,
  },
});

/** `QEMU emulator version 7.2.22 (Debian …)` → `7.2.22` */
export const parseVersion = (text: string): string | null =>
  /^QEMU emulator version (\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1] ?? null;

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1]);
}

/** A machine of nothing, told to quit at once: fails where QEMU has no seccomp or a container forbids it. */
async function canSandbox(executable: string, signal: AbortSignal): Promise<boolean> {
  const args = ["-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "stdio"];
  return (await runTool(executable, [...args, ...SANDBOX_ARGS], { signal, input: "quit\n" })).code === 0;
}

/** Drivers are modules that distributions package apart; qemu-img loads the same ones. */
const canLoad = async (driver: string, signal: AbortSignal): Promise<boolean> =>
  (await runTool("qemu-img", ["create", "-f", driver, "-o", "help"], { signal })).code === 0;

async function firstReadable(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if (await isUsable(path, constants.R_OK)) return path;
  return null;
}

const isUsable = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );
