/**
 * Makes an agent a service of this host, and takes it away again.
 *
 *   commands/agent/install.ts → [install-agent.ts] → files and folders, systemd
 *
 * Doing it again changes nothing that is right already. Neither touches guests, nor anything below the data folder.
 */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { isErrno, isOdoroboError, OdoroboError } from "../model/errors.ts";
import { writeFileAtomically } from "../platform/atomic-write.ts";
import type { ListenAddress } from "../platform/http/listen-address.ts";
import type { AgentConfig } from "./config.ts";
import { agentUnit } from "./install/agent-unit.ts";
import { AGENT_UNIT, GUEST_USER, HOOK_FOLDERS } from "./install/names.ts";
import { SystemdManager } from "./supervisor/systemd/manager.ts";

export { AGENT_UNIT };

export interface InstallOptions {
  /** The folder that stands for `/`. With another one files are written, and systemd is left alone. */
  readonly root: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface InstallInput {
  readonly config: Pick<AgentConfig, "bus" | "dataFolder" | "hooksFolder" | "listen">;
  /** The program and the arguments that start the agent with this configuration. */
  readonly command: readonly string[];
}

export interface Change {
  readonly what: "file" | "folder" | "user" | "unit";
  readonly name: string;
  readonly action: "create" | "change" | "keep" | "remove" | "enable" | "disable" | "start" | "restart" | "stop";
  readonly note: string | null;
}

export interface Installed {
  readonly changes: readonly Change[];
  /** Null: nobody looked. */
  readonly isRunning: boolean | null;
}

const UNIT_FILE = `/etc/systemd/system/${AGENT_UNIT}`;
const USERS_FILE = "/etc/sysusers.d/odorobo.conf";
const USERS = `# Whom odorobo's guests run as.
u ${GUEST_USER} - "Guests of odorobo" /nonexistent
`;

/** A first start reads all VMs and looks for all guests; a slow disk takes its time. */
const ANSWER_PATIENCE_MS = 60_000;

/** Rejects with FILE_UNWRITABLE, or with SUPERVISOR_UNAVAILABLE where systemd does not do it; what was done so far stays. */
export async function installAgent({ config, command }: InstallInput, options: InstallOptions): Promise<Installed> {
  const { root, dryRun } = options;
  const changes: Change[] = [];
  // Half an installation would be of no use.
  if (root === "/" && !dryRun) await withSystemd(config.bus, (systemd) => systemd.version());
  changes.push(await putFile(USERS_FILE, USERS, options));
  changes.push(await makeUser(options));
  changes.push(await putFolder("/etc/odorobo", 0o755, options));
  for (const folder of HOOK_FOLDERS) changes.push(await putFolder(join(config.hooksFolder, folder), 0o755, options));
  changes.push(await putFolder(config.dataFolder, 0o700, options));
  const unitFile = await putFile(UNIT_FILE, agentUnit(command, config.dataFolder), options);
  changes.push(unitFile);
  if (root !== "/") return { changes, isRunning: null };
  const service = await startService(config, unitFile.action !== "keep", dryRun, options.signal).catch(
    (error: unknown) => {
      if (!dryRun || !isOdoroboError(error, "SUPERVISOR_UNAVAILABLE")) throw error;
      return { changes: [change("unit", AGENT_UNIT, "start", "systemd does not answer here")], isRunning: null };
    },
  );
  return { changes: [...changes, ...service.changes], isRunning: service.isRunning };
}

/** Rejects as `installAgent` does. */
export async function uninstallAgent(
  { bus, hooksFolder }: Pick<AgentConfig, "bus" | "hooksFolder">,
  options: InstallOptions,
): Promise<Installed> {
  const { root, dryRun } = options;
  const changes: Change[] = [];
  if (root === "/") changes.push(...(await stopService(bus, dryRun)));
  const files = [await removeFile(UNIT_FILE, options), await removeFile(USERS_FILE, options)];
  changes.push(...files);
  if (root === "/" && !dryRun && files.some(({ action }) => action === "remove"))
    await withSystemd(bus, (it) => it.reload());
  for (const folder of HOOK_FOLDERS) changes.push(await removeEmpty(join(hooksFolder, folder), options));
  for (const folder of [hooksFolder, "/etc/odorobo"]) changes.push(await removeEmpty(folder, options));
  // Disks, and guests that run, are its own.
  if (await hasUser(root)) changes.push(change("user", GUEST_USER, "keep", "it owns what guests wrote"));
  return {
    changes: changes.filter(({ note }) => note !== NOT_THERE),
    isRunning: root === "/" && !dryRun ? false : null,
  };
}

async function startService(
  { bus, listen }: InstallInput["config"],
  isChanged: boolean,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Installed> {
  return withSystemd(bus, async (systemd) => {
    const changes: Change[] = [];
    if (isChanged && !dryRun) await systemd.reload();
    const isEnabled = (await systemd.unitFileState(AGENT_UNIT)) === "enabled";
    changes.push(change("unit", AGENT_UNIT, isEnabled ? "keep" : "enable", isEnabled ? "enabled" : null));
    if (!isEnabled && !dryRun) {
      await systemd.enable(AGENT_UNIT);
      await systemd.reload();
    }
    const { active } = await systemd.state(AGENT_UNIT);
    const action = active !== "active" ? "start" : isChanged ? "restart" : "keep";
    changes.push(change("unit", AGENT_UNIT, action, action === "keep" ? "runs" : null));
    if (dryRun) return { changes, isRunning: null };
    if (action !== "keep") await (action === "start" ? systemd.start(AGENT_UNIT) : systemd.restart(AGENT_UNIT));
    await whenItAnswers(systemd, listen, signal);
    return { changes, isRunning: true };
  });
}

/** systemd restarts an agent that ends, so a broken one is one that does not answer. */
async function whenItAnswers(
  systemd: SystemdManager,
  listen: readonly ListenAddress[],
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + ANSWER_PATIENCE_MS;
  for (;;) {
    const state = await systemd.state(AGENT_UNIT);
    const ended = state.sub === "auto-restart" || state.active === "failed";
    if (!ended && (await Promise.all(listen.map(answers))).every(Boolean)) return;
    if (ended || performance.now() > until) {
      throw new OdoroboError(
        "SUPERVISOR_UNAVAILABLE",
        `${AGENT_UNIT} was started and ${ended ? "ended at once" : "does not answer"}`,
        {
          hint: `look why: journalctl -u ${AGENT_UNIT} -n 20`,
        },
      );
    }
    await sleep(50, undefined, { signal });
  }
}

/** A port of 0 is any port: nobody can say which. */
function answers(address: ListenAddress): Promise<boolean> {
  if (address.kind === "tcp" && address.port === 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const socket =
      address.kind === "unix"
        ? createConnection(address.path)
        : createConnection(
            address.port,
            address.host === "0.0.0.0" || address.host === "::" ? "localhost" : address.host,
          );
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.setTimeout(2_000, () => end(false));
  });
}

async function stopService(bus: string, dryRun: boolean): Promise<readonly Change[]> {
  return withSystemd(bus, async (systemd) => {
    const changes: Change[] = [];
    if ((await systemd.state(AGENT_UNIT)).active !== "inactive") {
      changes.push(change("unit", AGENT_UNIT, "stop", "guests go on"));
      if (!dryRun) {
        await systemd.stop(AGENT_UNIT);
        await systemd.resetFailed(AGENT_UNIT);
      }
    }
    if ((await systemd.unitFileState(AGENT_UNIT)) === "enabled") {
      changes.push(change("unit", AGENT_UNIT, "disable", null));
      if (!dryRun) await systemd.disable(AGENT_UNIT);
    }
    return changes;
  });
}

async function withSystemd<Value>(bus: string, work: (systemd: SystemdManager) => Promise<Value>): Promise<Value> {
  await using systemd = new SystemdManager(bus);
  return await work(systemd);
}

async function makeUser({ root, dryRun }: InstallOptions): Promise<Change> {
  if (await hasUser(root)) return change("user", GUEST_USER, "keep", null);
  if (!dryRun) {
    const where = root === "/" ? [] : [`--root=${root}`];
    try {
      await promisify(execFile)("systemd-sysusers", [...where, join(root, USERS_FILE)]);
    } catch (cause) {
      throw new OdoroboError("FILE_UNWRITABLE", `could not make the user ${GUEST_USER}`, {
        cause,
        hint: `is this root, and systemd-sysusers there? useradd --system --shell /usr/sbin/nologin ${GUEST_USER} does the same`,
      });
    }
  }
  return change("user", GUEST_USER, "create", null);
}

async function hasUser(root: string): Promise<boolean> {
  const users = await readFile(join(root, "/etc/passwd"), "utf8").catch(() => "");
  return users.split("\n").some((line) => line.startsWith(`${GUEST_USER}:`));
}

async function putFile(path: string, content: string, { root, dryRun }: InstallOptions): Promise<Change> {
  const target = join(root, path);
  const before = await readFile(target, "utf8").catch(() => null);
  if (before === content) return change("file", path, "keep", null);
  if (!dryRun)
    await attempt(path, async () => {
      await mkdir(dirname(target), { recursive: true });
      await writeFileAtomically(target, content, 0o644);
    });
  return change("file", path, before === null ? "create" : "change", null);
}

/** One that is there keeps its permissions: an admin may have given them. */
async function putFolder(path: string, mode: number, { root, dryRun }: InstallOptions): Promise<Change> {
  const target = join(root, path);
  if ((await readdir(target).catch(() => null)) !== null) return change("folder", path, "keep", null);
  if (!dryRun) await attempt(path, () => mkdir(target, { recursive: true, mode }));
  return change("folder", path, "create", null);
}

const NOT_THERE = "not there";

async function removeFile(path: string, { root, dryRun }: InstallOptions): Promise<Change> {
  const target = join(root, path);
  if ((await readFile(target).catch(() => null)) === null) return change("file", path, "keep", NOT_THERE);
  if (!dryRun) await attempt(path, () => rm(target));
  return change("file", path, "remove", null);
}

async function removeEmpty(path: string, { root, dryRun }: InstallOptions): Promise<Change> {
  const target = join(root, path);
  const contents = await readdir(target).catch(() => null);
  if (contents === null) return change("folder", path, "keep", NOT_THERE);
  // Of a dry run, what would be gone is still there.
  if (contents.filter((name) => !dryRun || !HOOK_FOLDERS.includes(name)).length > 0)
    return change("folder", path, "keep", "it is not empty");
  if (!dryRun) await attempt(path, () => rmdir(target));
  return change("folder", path, "remove", null);
}

const change = (what: Change["what"], name: string, action: Change["action"], note: string | null): Change => ({
  what,
  name,
  action,
  note,
});

async function attempt<Value>(path: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (cause) {
    throw new OdoroboError("FILE_UNWRITABLE", `could not change ${path}`, {
      cause,
      hint: isErrno(cause, "EACCES") ? "run this as root" : "look at the folder",
    });
  }
}
