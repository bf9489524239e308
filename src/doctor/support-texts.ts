/**
 * What a helper from elsewhere needs to see of a server, as texts by file name. Read only, bounded, and without secrets: no
 * environment, no configuration of the agent's, no text of a guest's; and every line goes through `scrub`.
 */
import type { DoctorReport } from "../model/doctor-report.ts";
import type { NodeReport } from "../model/observed-state.ts";
import type { Examination } from "./examination.ts";
import type { Host } from "./host.ts";
import { scrub } from "./scrub.ts";
import { shareableReport } from "./shareable-report.ts";

export interface SupportRequest extends Examination {
  readonly doctor: DoctorReport;
  /** Null: no agent was asked. */
  readonly report: NodeReport | null;
  readonly agentVersion: string;
}

export type SupportTexts = Readonly<Record<string, string>>;

const LOG_LINES = 500;
const KERNEL_LINES = 300;
/** Of a unit: nothing that holds its environment or its command line. */
const UNIT_PROPERTIES = [
  "Id",
  "Description",
  "LoadState",
  "ActiveState",
  "SubState",
  "Result",
  "MainPID",
  "ExecMainCode",
  "ExecMainStatus",
  "ActiveEnterTimestamp",
  "InactiveEnterTimestamp",
  "NRestarts",
  "MemoryCurrent",
  "CPUUsageNSec",
  "TasksCurrent",
];

export async function collectSupportTexts(request: SupportRequest): Promise<SupportTexts> {
  const secrets = await readSecrets(request);
  const texts = await gather(request);
  const clean = Object.entries(texts).map(([name, text]) => [name, scrub(text, secrets)] as const);
  return Object.fromEntries([...clean, ["README.txt", ABOUT]]);
}

async function gather(request: SupportRequest): Promise<SupportTexts> {
  const { host, signal, doctor, report } = request;
  const run = (program: string, ...args: string[]) => ranText(host, program, args, signal);
  const properties = UNIT_PROPERTIES.map((each) => `--property=${each}`);
  const [versions, interfaces, agentLog, units, kernelLog, memory, mounts] = await Promise.all([
    versionsText(request),
    run("ip", "-details", "address", "show"),
    run("journalctl", "--unit=odorobo-agent.service", `--lines=${LOG_LINES}`, "--no-pager", "--output=short-iso"),
    run("systemctl", "show", "odorobo-*", "--all", "--no-pager", ...properties),
    kernelText(request),
    readText(host, "/proc/meminfo"),
    readText(host, "/proc/mounts"),
  ]);
  return {
    "doctor.json": json(doctor),
    "report.json": report === null ? "no agent was asked\n" : json(shareableReport(report)),
    "versions.txt": versions,
    "interfaces.txt": interfaces,
    "agent-log.txt": agentLog,
    "units.txt": units,
    "kernel-log.txt": kernelLog,
    "meminfo.txt": memory,
    "mounts.txt": withoutOptions(mounts),
  };
}

async function versionsText({ host, settings, agentVersion, signal }: SupportRequest): Promise<string> {
  const programs = settings.hypervisors.flatMap(({ executable }) => (executable === null ? [] : [executable]));
  const said = await Promise.all(
    [...programs, "systemctl"].map(async (program) => {
      const text = await ranText(host, program, ["--version"], signal);
      return `$ ${program} --version\n${text}`;
    }),
  );
  const [kernel, release] = await Promise.all([readText(host, "/proc/version"), readText(host, "/etc/os-release")]);
  return [`odorobo ${agentVersion}, Node ${process.version}\n`, kernel, release, ...said].join("\n");
}

async function kernelText({ host, signal }: SupportRequest): Promise<string> {
  const text = await ranText(host, "dmesg", ["--ctime", "--decode"], signal);
  return `${text.trimEnd().split("\n").slice(-KERNEL_LINES).join("\n")}\n`;
}

/** What it said, or why nothing is here. */
async function ranText(host: Host, program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const ran = await host.run(program, args, signal);
  if (ran.kind === "absent") return `there is no ${program} on this host\n`;
  if (ran.kind === "unseen") return `${program} could not be asked: ${ran.why}\n`;
  return ran.value.code === 0 ? ran.value.output : `${program} ended with ${ran.value.code}\n${ran.value.output}`;
}

async function readText(host: Host, path: string): Promise<string> {
  const seen = await host.read(path);
  return seen.kind === "seen" ? seen.value : `${path} could not be read\n`;
}

/** Options of network filesystems name users and files with passwords. */
const withoutOptions = (mounts: string): string =>
  mounts
    .split("\n")
    .map((line) => line.split(" ").slice(0, 3).join(" "))
    .join("\n");

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** What must not be in there, whatever looks harmless. */
async function readSecrets({ host, settings }: SupportRequest): Promise<readonly string[]> {
  const files = await Promise.all(Object.values(settings.secretFiles).map((path) => host.read(path)));
  return files.flatMap((seen) => (seen.kind === "seen" ? [seen.value, ...seen.value.split("\n")] : []));
}

const ABOUT = `Made by odorobo doctor --bundle, to be looked at by somebody who helps.

Left out on purpose: tokens, keys, environments, command lines, cloud-init texts, SSH keys, kernel command lines of
guests, annotations, hypervisor-specific settings, and what guests said on their consoles. What looked like a secret
elsewhere is replaced by [left out]. Names of VMs, nodes, disks, networks and addresses are in it: look before you send it.
`;
