/**
 * Makes an agent a service of this host, and takes it away again.
 *
 *   commands/agent/install.ts → [install-agent.ts] → files and folders, systemd
 *
 * Doing it again changes nothing that is right already. Neither touches guests, nor anything below the data folder.
 */
import { join } from "node:path";
import { isOdoroboError } from "../model/errors.ts";
import type { AgentConfig } from "./config.ts";
import { agentUnit } from "./install/agent-unit.ts";
import {
  type Change,
  change,
  hasUser,
  type Installed,
  type InstallOptions,
  makeUser,
  NOT_THERE,
  putFile,
  putFolder,
  removeEmpty,
  removeFile,
} from "./install/host-changes.ts";
import { AGENT_UNIT, GUEST_USER, HOOK_FOLDERS } from "./install/names.ts";
import { startService, stopService, withSystemd } from "./install/service.ts";

export { AGENT_UNIT };

export interface InstallInput {
  readonly config: Pick<AgentConfig, "bus" | "dataFolder" | "hooksFolder" | "listen">;
  /** The program and the arguments that start the agent with this configuration. */
  readonly command: readonly string[];
}

const UNIT_FILE = `/etc/systemd/system/${AGENT_UNIT}`;
const USERS_FILE = "/etc/sysusers.d/odorobo.conf";
const USERS = `# Whom odorobo's guests run as.
u ${GUEST_USER} - "Guests of odorobo" /nonexistent
`;

/** Rejects with FILE_UNWRITABLE, or with SUPERVISOR_UNAVAILABLE where systemd does not do it; what was done so far stays. */
export async function installAgent({ config, command }: InstallInput, options: InstallOptions): Promise<Installed> {
  const { root, dryRun } = options;
  const changes: Change[] = [];
  // Half an installation would be of no use.
  if (root === "/" && !dryRun) await withSystemd(config.bus, (systemd) => systemd.version());
  changes.push(await putFile(USERS_FILE, USERS, options));
  changes.push(await makeUser(GUEST_USER, USERS_FILE, options));
  changes.push(await putFolder("/etc/odorobo", 0o755, options));
  for (const folder of HOOK_FOLDERS) changes.push(await putFolder(join(config.hooksFolder, folder), 0o755, options));
  changes.push(await putFolder(config.dataFolder, 0o700, options));
  const unitFile = await putFile(UNIT_FILE, agentUnit(command, config.dataFolder), options);
  changes.push(unitFile);
  if (root !== "/") return { changes, isRunning: null };
  const service = await startService(
    { ...config, unit: AGENT_UNIT },
    unitFile.action !== "keep",
    dryRun,
    options.signal,
  ).catch((error: unknown) => {
    if (!dryRun || !isOdoroboError(error, "SUPERVISOR_UNAVAILABLE")) throw error;
    return { changes: [change("unit", AGENT_UNIT, "start", "systemd does not answer here")], isRunning: null };
  });
  return { changes: [...changes, ...service.changes], isRunning: service.isRunning };
}

/** Rejects as `installAgent` does. */
export async function uninstallAgent(
  { bus, hooksFolder }: Pick<AgentConfig, "bus" | "hooksFolder">,
  options: InstallOptions,
): Promise<Installed> {
  const { root, dryRun } = options;
  const changes: Change[] = [];
  if (root === "/") changes.push(...(await stopService({ unit: AGENT_UNIT, bus }, dryRun)));
  const files = [await removeFile(UNIT_FILE, options), await removeFile(USERS_FILE, options)];
  changes.push(...files);
  if (root === "/" && !dryRun && files.some(({ action }) => action === "remove"))
    await withSystemd(bus, (it) => it.reload());
  for (const folder of HOOK_FOLDERS) changes.push(await removeEmpty(join(hooksFolder, folder), [], options));
  for (const folder of [hooksFolder, "/etc/odorobo"]) changes.push(await removeEmpty(folder, HOOK_FOLDERS, options));
  // Disks, and guests that run, are its own.
  if (await hasUser(GUEST_USER, root)) changes.push(change("user", GUEST_USER, "keep", "it owns what guests wrote"));
  return {
    changes: changes.filter(({ note }) => note !== NOT_THERE),
    isRunning: root === "/" && !dryRun ? false : null,
  };
}
