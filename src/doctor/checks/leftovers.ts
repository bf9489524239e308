/** Processes and taps of ours that belong to no VM of the agent's: what a crash at a bad moment may leave. */
import type { Finding } from "../../model/doctor-report.ts";
import { type Check, type Examination, ok, type Settings, unknown, warn } from "../examination.ts";

/** As the agent names them: `agent/launch-command.ts`. */
const TAP = /^odo[0-9a-f]{12}$/;

export const checkLeftovers: Check = async (examination) => [
  await checkProcesses(examination),
  await checkTaps(examination),
];

async function checkProcesses({ host, settings }: Examination): Promise<Finding> {
  const check = "leftovers.processes";
  const entries = await host.list("/proc");
  if (entries.kind !== "seen") return unknown(check, "/proc could not be read");
  const pids = entries.value.filter((name) => /^\d+$/.test(name));
  // Every socket of a guest's process lies in the run folder, and stands on its command line.
  const mark = `${settings.runFolder}/vms/`;
  const ours: number[] = [];
  for (const pid of pids) {
    const line = await host.read(`/proc/${pid}/cmdline`);
    const [program = "", ...args] = line.kind === "seen" ? line.value.split("\0") : [];
    if (isHypervisor(program, settings) && args.some((arg) => arg.includes(mark))) ours.push(Number(pid));
  }
  if (ours.length === 0) return ok(check, "no process of a guest runs");
  if (settings.known === null)
    return unknown(check, `${processes(ours.length)} of guests, and no agent was asked whose they are`, ASK);
  const known = new Set(settings.known.pids);
  const left = ours.filter((pid) => !known.has(pid));
  if (left.length === 0) return ok(check, `${processes(ours.length)} of guests, each of a VM of this agent`);
  if (settings.known.isBusy)
    return unknown(check, `${processes(left.length)} of guests may be of VMs that are just being started`);
  return warn(
    check,
    `processes that belong to no VM of this agent: ${left.join(", ")}`,
    "odorobo vm list shows what should run; a restart of the agent takes in what it knows. What is still left is yours to end",
  );
}

/** By the names that they usually have, or by that which the agent was told. */
function isHypervisor(program: string, { hypervisors }: Settings): boolean {
  const name = basename(program);
  return (
    /^(cloud-hypervisor|qemu-system-)/.test(name) ||
    hypervisors.some((each) => each.executable !== null && basename(each.executable) === name)
  );
}

const basename = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

async function checkTaps({ host, settings }: Examination): Promise<Finding> {
  const check = "leftovers.taps";
  const interfaces = await host.list("/sys/class/net");
  if (interfaces.kind !== "seen") return unknown(check, "/sys/class/net could not be read");
  const taps = interfaces.value.filter((name) => TAP.test(name)).sort();
  if (taps.length === 0) return ok(check, "no tap of a guest is there");
  if (settings.known === null)
    return unknown(check, `${taps.length} taps of guests are there, and no agent was asked whose they are`, ASK);
  const known = new Set(settings.known.taps);
  const left = taps.filter((name) => !known.has(name));
  if (left.length === 0) return ok(check, `${taps.length} taps, each of a NIC of a VM of this agent`);
  if (settings.known.isBusy) return unknown(check, `${left.join(", ")} may be of VMs that are just being started`);
  return warn(
    check,
    `taps that belong to no NIC of a VM of this agent: ${left.join(", ")}`,
    `ip link delete ${left[0]}`,
  );
}

const processes = (count: number): string => `${count} ${count === 1 ? "process" : "processes"}`;

const ASK = "odorobo doctor --agent http://127.0.0.1:8890 asks the agent of this host";
