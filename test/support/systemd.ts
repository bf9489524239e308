/**
 * Service managers of the test's own, with real units and real processes:
 *
 *   aUserManager()   `systemd --user`: the host's pids and files, its own control group and bus. 0.1 s.
 *   aSystem()        systemd as PID 1 of a container on a throw-away copy of the host's root. 0.5 s.
 *
 * Both live in a control group of their own, and disposing of them ends everything in it. Never run a systemd on the
 * host's own root: it would take over the machine.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { isErrno } from "../../src/model/errors.ts";
import { type RequirementName, requires } from "./requirements.ts";
import { until } from "./until.ts";

/** Inside it is at the same place, also when that is in /tmp, of which a container has its own. */
const ROOT = resolve(import.meta.dirname, "../..");

/** Node, where also a unit sees it that has a /tmp and a /home of its own. */
export const NODE_INSIDE = "/usr/local/bin/node-of-tests";

const USER_NEEDS = ["systemd", "busctl", "user-bus", "control-groups", "mounts"] as const satisfies RequirementName[];
const SYSTEM_NEEDS = [
  ...(["systemd", "busctl", "systemd-nspawn", "dbus-daemon", "control-groups", "mounts"] as const),
] satisfies RequirementName[];

/** Whether this machine can have one; if not, notes what is left out. */
export const requiresUserManager = (what: string): boolean => requires(what, ...USER_NEEDS);
export const requiresSystem = (what: string): boolean => requires(what, ...SYSTEM_NEEDS);

/** A loaded machine with two cores starts one in a second or two. */
const START_DEADLINE_MS = 60_000;

/** Hybrid hosts have the unified hierarchy aside. */
const CGROUP_ROOT = existsSync("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";

export interface UserManager extends AsyncDisposable {
  /** `unix:path=…` */
  readonly bus: string;
  /** Where its unit files may be put: seen after a reload. */
  readonly unitFolder: string;
  readonly runFolder: string;
  systemctl(...args: string[]): Promise<string>;
}

export async function aUserManager(): Promise<UserManager> {
  const folder = await mkdtemp(join(tmpdir(), "osd-"));
  const run = join(folder, "run");
  const unitFolder = join(folder, "config/systemd/user");
  await mkdir(run, { mode: 0o700 });
  await mkdir(join(folder, "home"));
  await mkdir(unitFolder, { recursive: true });
  const bus = `unix:path=${join(run, "bus")}`;
  const group = startInGroup(basename(folder), join(folder, "log"), USER_MANAGER, {
    XDG_RUNTIME_DIR: run,
    XDG_CONFIG_HOME: join(folder, "config"),
    HOME: join(folder, "home"),
    DBUS_SESSION_BUS_ADDRESS: bus,
    PATH: process.env.PATH ?? "",
  });
  const manager: UserManager = {
    bus,
    unitFolder,
    runFolder: run,
    systemctl: (...args) => runProgram("systemctl", ["--user", ...args], { XDG_RUNTIME_DIR: run }),
    async [Symbol.asyncDispose]() {
      await endGroup(group);
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await whenUp(bus, join(folder, "log"));
    return manager;
  } catch (error) {
    await manager[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * A private /run/systemd makes it believe that systemd runs the machine; a cgroup2 of its own makes ours its root. The v1
 * controllers of a hybrid host would hold the limits; without them limits are taken and not enforced.
 */
const USER_MANAGER = `
  exec unshare -m -C --propagation private sh -c '
    mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    # A host that systemd booted has these; they are mounted over what a unit must not see.
    mkdir -p /run/systemd/inaccessible/dir && cd /run/systemd/inaccessible
    touch reg && mkfifo fifo && mknod chr c 0 0 && mknod blk b 0 0 && chmod 0 reg fifo chr blk
    exec /lib/systemd/systemd --user --log-target=console --log-level=info'`;

export interface System extends AsyncDisposable {
  /** From outside: `unix:path=…`. Inside it is the usual place. */
  readonly bus: string;
  /** A folder of the host that is at the same path inside. */
  readonly shared: string;
  /** Runs a program inside; rejects when it fails. Its stdout. */
  run(...command: string[]): Promise<string>;
  /** A program and its arguments → those that run it inside. */
  inside(command: readonly string[]): readonly string[];
  /** Of all that runs inside, as the host sees them. */
  processes(): readonly number[];
  /** Ends all of it and starts it anew, as a reboot of the host would: unit files that were installed stay. */
  reboot(): Promise<void>;
}

const OFF = [
  ...["systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket"],
  ...["systemd-udev-trigger.service", "systemd-sysctl.service", "systemd-networkd.service", "systemd-resolved.service"],
  ...["systemd-timesyncd.service", "getty.target", "systemd-journal-flush.service"],
];

export async function aSystem(): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "osy-"));
  const shared = join(folder, "s");
  const units = join(folder, "units");
  const persistent = join(folder, "var");
  for (const each of [shared, units, join(units, "dbus.socket.d"), persistent]) mkdirSync(each, { recursive: true });
  const bus = `unix:path=${join(shared, "bus")}`;
  writeFileSync(join(units, "odorobo-test.target"), TARGET);
  writeFileSync(join(units, "dbus.socket.d/10-shared.conf"), `[Socket]\nListenStream=${join(shared, "bus")}\n`);
  await Promise.all(OFF.map((unit) => runProgram("ln", ["-sf", "/dev/null", join(units, unit)])));
  const start = async () => {
    await rm(join(shared, "bus"), { force: true });
    const group = startInGroup(basename(folder), join(folder, "log"), SYSTEM, {
      PATH: process.env.PATH ?? "",
      SHARED: shared,
      REPOSITORY: ROOT,
      NODE: process.execPath,
      UNITS: units,
      PERSISTENT: persistent,
      MACHINE: basename(folder)
        .toLowerCase()
        .replaceAll(/[^a-z0-9-]/g, ""),
    });
    await whenUp(bus, join(folder, "log"));
    return group;
  };
  let group = await start().catch(async (error: unknown) => {
    await endGroup(groupFolder(basename(folder)));
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const inside: System["inside"] = (command) => [
    ...["nsenter", "-t", String(firstProcess(group)), "-m", "-p", "-u", "-i", "-n", "--"],
    ...command,
  ];
  return {
    bus,
    shared,
    inside,
    processes: () => processesOf(group),
    run(...command) {
      const [program = "", ...args] = inside(command);
      return runProgram(program, args, {});
    },
    async reboot() {
      await endGroup(group);
      group = await start();
    },
    async [Symbol.asyncDispose]() {
      await endGroup(group);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const TARGET = `[Unit]
Requires=basic.target dbus.socket
After=basic.target dbus.socket
AllowIsolate=yes
`;

/**
 * What is written to the root is gone with it; /etc/systemd/system and $PERSISTENT outlive a reboot. /dev/kvm and the tun
 * device are bound where the host has them; with bpf() systemd can hold units to their devices.
 */
const SYSTEM = `
  exec unshare -m --propagation private sh -ec '
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs tmpfs /mnt; mkdir /mnt/u /mnt/w /mnt/root
    mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/root
    mount -t tmpfs tmpfs /run
    devices="--bind-ro=$REPOSITORY --bind-ro=$NODE:${NODE_INSIDE}"
    for device in /dev/kvm /dev/net/tun; do if [ -e $device ]; then devices="$devices --bind=$device"; fi; done
    exec systemd-nspawn -q -D /mnt/root --register=no --keep-unit --kill-signal=SIGRTMIN+3 --console=pipe \\
      --machine=$MACHINE --resolv-conf=off --timezone=off --link-journal=no --capability=all --system-call-filter=bpf --tmpfs=/var/log \\
      --bind=$SHARED --bind=$UNITS:/etc/systemd/system --bind=$PERSISTENT:/var/lib/odorobo $devices \\
      --boot systemd.unit=odorobo-test.target systemd.log_target=console systemd.show_status=no'`;

const groupFolder = (name: string): string => join(CGROUP_ROOT, `odorobo-${name}`);

/** Everything below lives, and dies, in this control group. */
function startInGroup(name: string, log: string, script: string, env: Readonly<Record<string, string>>): string {
  const group = groupFolder(name);
  mkdirSync(group, { recursive: true });
  const child = spawn("sh", ["-c", `echo $$ > ${group}/cgroup.procs || exit 1; ( ${script} ) > ${log} 2>&1`], {
    env: { ...env },
    stdio: "ignore",
    detached: true,
  });
  child.unref();
  return group;
}

async function endGroup(group: string): Promise<void> {
  if (!existsSync(group)) return;
  await writeFile(join(group, "cgroup.kill"), "1");
  await until(`the control group ${group} is empty and gone`, () => removeGroups(group), START_DEADLINE_MS);
}

/** From the leaves up; false while something is in it. */
function removeGroups(group: string): boolean {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true }))
      if (entry.isDirectory() && !removeGroups(join(group, entry.name))) return false;
    rmdirSync(group);
    return true;
  } catch {
    return !existsSync(group);
  }
}

/** PID 1 of the container, as the host sees it: the process whose own namespace calls it 1. */
function firstProcess(group: string): number {
  for (const pid of processesOf(group)) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    if (/^NSpid:\t\d+\t1$/m.test(status)) return pid;
  }
  throw new Error(`nothing runs in ${group}`);
}

/** Empty for a group that is gone. */
function processesOf(group: string): number[] {
  try {
    const own = readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    const below = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...below.flatMap((entry) => processesOf(join(group, entry.name)))];
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENODEV")) return [];
    throw error;
  }
}

async function whenUp(bus: string, log: string): Promise<void> {
  const ask = ["get-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"];
  const isUp = async () => {
    const state = await runProgram("timeout", [
      "5",
      "busctl",
      `--address=${bus}`,
      ...ask,
      "org.freedesktop.systemd1.Manager",
      "SystemState",
    ]).catch(() => "");
    return /running|degraded/.test(state);
  };
  try {
    await until("systemd is up", isUp, START_DEADLINE_MS);
  } catch (cause) {
    throw new Error(`systemd did not start: ${await readFile(log, "utf8").catch(() => "")}`, { cause });
  }
}

function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${args.join(" ")}: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
  });
}
