/** Settings of the kernel that guests trip over: memory, and packets between bridges. */
import type { Finding } from "../../model/doctor-report.ts";
import { type Check, type Examination, ok, unknown, warn } from "../examination.ts";

/** The kernel's own default; each disk and NIC of a guest takes some maps, a large guest with hugepages many. */
const DEFAULT_MAX_MAP_COUNT = 65_530;

export const checkKernelSettings: Check = async (examination) => [
  await checkOvercommit(examination),
  await checkMaps(examination),
  await checkHugepages(examination),
  ...(await checkForwarding(examination)),
];

async function checkOvercommit({ host }: Examination): Promise<Finding> {
  const check = "sysctl.overcommit";
  const seen = await number(host, "/proc/sys/vm/overcommit_memory");
  if (typeof seen === "string") return unknown(check, seen);
  if (seen !== 2) return ok(check, `vm.overcommit_memory is ${seen}: guests take memory as they use it`);
  return warn(
    check,
    "vm.overcommit_memory is 2: a guest does not start when all of its memory was not set aside for it",
    "sysctl vm.overcommit_memory=0, unless this is meant",
  );
}

async function checkMaps({ host }: Examination): Promise<Finding> {
  const check = "sysctl.max_map_count";
  const seen = await number(host, "/proc/sys/vm/max_map_count");
  if (typeof seen === "string") return unknown(check, seen);
  if (seen >= DEFAULT_MAX_MAP_COUNT) return ok(check, `vm.max_map_count is ${seen}`);
  return warn(
    check,
    `vm.max_map_count is ${seen}, below the kernel's default: guests with much memory or many devices may not start`,
    `sysctl vm.max_map_count=${DEFAULT_MAX_MAP_COUNT}`,
  );
}

async function checkHugepages({ host }: Examination): Promise<Finding> {
  const check = "memory.hugepages";
  const seen = await host.read("/proc/meminfo");
  if (seen.kind !== "seen") return unknown(check, "/proc/meminfo could not be read");
  const amount = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(seen.value)?.[1] ?? Number.NaN);
  const [total, free, sizeKiB] = [amount("HugePages_Total"), amount("HugePages_Free"), amount("Hugepagesize")];
  if (Number.isNaN(total)) return unknown(check, "/proc/meminfo tells no hugepages");
  if (total === 0) return ok(check, "no hugepages are set aside: guests that ask for them do not start");
  return ok(check, `${free} of ${total} hugepages of ${sizeKiB / 1024} MiB are free`);
}

/** Only where guests hang on bridges does it matter what the host does with packets. */
async function checkForwarding({ host }: Examination): Promise<readonly Finding[]> {
  const check = "network.bridges";
  const interfaces = await host.list("/sys/class/net");
  if (interfaces.kind !== "seen") return [unknown(check, "/sys/class/net could not be read")];
  const bridges: string[] = [];
  for (const name of interfaces.value)
    if ((await host.facts(`/sys/class/net/${name}/bridge`)).kind === "seen") bridges.push(name);
  if (bridges.length === 0) return [ok(check, "there is no bridge on this host")];
  const filtered = await number(host, "/proc/sys/net/bridge/bridge-nf-call-iptables");
  const forwards = await number(host, "/proc/sys/net/ipv4/ip_forward");
  return [
    ok(check, `bridges: ${bridges.sort().join(", ")}`),
    // Without the module there is no such setting, and nothing is filtered.
    filtered === 1
      ? warn(
          "network.bridge-filter",
          "packets between guests of one bridge pass the host's firewall (bridge-nf-call-iptables is 1)",
          "sysctl net.bridge.bridge-nf-call-iptables=0, unless its rules are meant for them",
        )
      : ok("network.bridge-filter", "packets between guests of one bridge do not pass the host's firewall"),
    forwards === 0
      ? warn(
          "network.ip_forward",
          "net.ipv4.ip_forward is 0: guests reach other networks only where a bridge has a port of the host in it",
          "sysctl net.ipv4.ip_forward=1, if this host routes for its guests",
        )
      : typeof forwards === "string"
        ? unknown("network.ip_forward", forwards)
        : ok("network.ip_forward", "this host forwards packets"),
  ];
}

/** The number in this file, or why it is not known. */
async function number(host: Examination["host"], path: string): Promise<number | string> {
  const seen = await host.read(path);
  if (seen.kind !== "seen") return `${path} could not be read${seen.kind === "unseen" ? `: ${seen.why}` : ""}`;
  const value = Number(seen.value.trim());
  return Number.isFinite(value) ? value : `${path} holds no number`;
}
