/**
 * Makes a gateway a service of this host, and takes it away again. Here, because here it is known how to talk to systemd.
 *
 *   commands/gateway/install.ts → [install-gateway.ts] → install/
 *
 * Doing it again changes nothing that is right already. What it did not write it leaves alone.
 */
import { isOdoroboError } from "../model/errors.ts";
import type { ListenAddress } from "../platform/http/listen-address.ts";
import { GATEWAY_MARK, GATEWAY_UNIT, GATEWAY_USER, gatewayUnit } from "./install/gateway-unit.ts";
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
  removeFile,
} from "./install/host-changes.ts";
import { startService, stopService, withSystemd } from "./install/service.ts";

export { GATEWAY_UNIT };

export interface GatewayInstallInput {
  readonly bus: string;
  readonly listen: ListenAddress;
  readonly dataFolder: string;
  /** The program and the arguments that start the gateway. */
  readonly command: readonly string[];
}

const UNIT_FILE = `/etc/systemd/system/${GATEWAY_UNIT}`;
const USERS_FILE = "/etc/sysusers.d/odorobo-gateway.conf";
const USERS = `${GATEWAY_MARK}.
u ${GATEWAY_USER} - "Gateway of odorobo" /nonexistent
`;

/** Rejects with FILE_UNWRITABLE, or with SUPERVISOR_UNAVAILABLE where systemd does not do it; what was done so far stays. */
export async function installGateway(input: GatewayInstallInput, options: InstallOptions): Promise<Installed> {
  const { root, dryRun, signal } = options;
  const { bus, listen, command, dataFolder } = input;
  // Half an installation would be of no use.
  if (root === "/" && !dryRun) await withSystemd(bus, (systemd) => systemd.version());
  const changes: Change[] = [];
  changes.push(await putFile(USERS_FILE, USERS, options, GATEWAY_MARK));
  changes.push(await makeUser(GATEWAY_USER, USERS_FILE, options));
  changes.push(await putFolder("/etc/odorobo", 0o755, options));
  const unitFile = await putFile(UNIT_FILE, gatewayUnit(command, dataFolder), options, GATEWAY_MARK);
  changes.push(unitFile);
  if (root !== "/") return { changes, isRunning: null };
  const service = await startService(
    { unit: GATEWAY_UNIT, bus, listen: [listen] },
    unitFile.action !== "keep",
    dryRun,
    signal,
  ).catch((error: unknown) => {
    if (!dryRun || !isOdoroboError(error, "SUPERVISOR_UNAVAILABLE")) throw error;
    return { changes: [change("unit", GATEWAY_UNIT, "start", "systemd does not answer here")], isRunning: null };
  });
  return { changes: [...changes, ...service.changes], isRunning: service.isRunning };
}

/** Rejects as `installGateway` does. */
export async function uninstallGateway(bus: string, options: InstallOptions): Promise<Installed> {
  const { root, dryRun } = options;
  // What is not ours is not stopped either.
  const files = [
    await removeFile(UNIT_FILE, { ...options, dryRun: true }, GATEWAY_MARK),
    await removeFile(USERS_FILE, { ...options, dryRun: true }, GATEWAY_MARK),
  ];
  const changes: Change[] = [];
  const isThere = files.some(({ action }) => action === "remove");
  if (root === "/" && isThere) changes.push(...(await stopService({ unit: GATEWAY_UNIT, bus }, dryRun)));
  for (const path of [UNIT_FILE, USERS_FILE]) changes.push(await removeFile(path, options, GATEWAY_MARK));
  if (root === "/" && isThere && !dryRun) await withSystemd(bus, (systemd) => systemd.reload());
  if (await hasUser(GATEWAY_USER, root)) changes.push(change("user", GATEWAY_USER, "keep", "it owns the data folder"));
  return {
    changes: changes.filter(({ note }) => note !== NOT_THERE),
    isRunning: root === "/" && !dryRun ? false : null,
  };
}
