/** Who keeps the guests' processes: `--supervisor auto|systemd|spawn` → a Supervisor. */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Logger } from "../platform/logger.ts";
import type { AgentConfig } from "./config.ts";
import { GUEST_USER } from "./install/names.ts";
import { createSpawnSupervisor } from "./supervisor/spawn/spawn-supervisor.ts";
import type { Supervisor } from "./supervisor/supervisor.ts";
import type { GuestUser } from "./supervisor/systemd/grant-access.ts";

export interface ChosenSupervisor extends AsyncDisposable {
  readonly supervisor: Supervisor;
  /** Whom guests run as, where that is not the agent's own user: their taps are this user's. */
  readonly guestUser: string | null;
}

type Choice = Pick<AgentConfig, "supervisor" | "bus" | "dataFolder" | "runFolder" | "accessFile" | "tokenFile">;

/**
 * `auto` takes systemd where one started this agent and answers. Asked for by name it is taken though it may not answer:
 * guests that run are seen and ended without it, and starts say what is missing.
 */
export async function chooseSupervisor(config: Choice, log: Logger): Promise<ChosenSupervisor> {
  if (!(await wantsSystemd(config, log)))
    return { supervisor: createSpawnSupervisor(), guestUser: null, [Symbol.asyncDispose]: async () => {} };
  const user = process.getuid?.() === 0 ? await findUser(GUEST_USER) : null;
  if (user === null)
    log.warn(
      {},
      `there is no user ${GUEST_USER} on this node, so guests run as the agent's user: odorobo agent install`,
    );
  const secrets = [config.accessFile, config.tokenFile].flatMap((file) => (file === null ? [] : [dirname(file)]));
  const hidden = [...new Set([config.dataFolder, config.runFolder, "/etc/odorobo", ...secrets])].filter(isHideable);
  const { createSystemdSupervisor } = await loadSystemd();
  const supervisor = createSystemdSupervisor({ bus: config.bus, user, hidden, log });
  log.info({ user: user?.name ?? null }, "systemd keeps the guests' processes");
  return {
    supervisor,
    guestUser: user?.name ?? null,
    [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose](),
  };
}

async function wantsSystemd({ supervisor, bus }: Choice, log: Logger): Promise<boolean> {
  if (supervisor === "spawn") return false;
  if (supervisor === "auto" && process.env.SYSTEMD_EXEC_PID !== String(process.pid)) return false;
  const { isSystemdThere } = await loadSystemd();
  const problem = await isSystemdThere(bus);
  if (problem === null) return true;
  if (supervisor === "auto")
    log.warn({ err: problem }, "systemd does not answer: guests are this agent's own children");
  else log.error({ err: problem }, "systemd does not answer: no guest can be started until it does");
  return supervisor === "systemd";
}

/** The bus is 10 MB of code that an agent without systemd does not need. */
const loadSystemd = () => import("./supervisor/systemd/systemd-supervisor.ts");

/** A secret beside the kernel in /etc must not hide all of /etc. */
const isHideable = (folder: string): boolean => folder.split("/").length > 2;

/** Of this host's own users: `agent install` makes it one. */
async function findUser(name: string): Promise<GuestUser | null> {
  const [users, groups] = await Promise.all(
    ["/etc/passwd", "/etc/group"].map((file) => readFile(file, "utf8").catch(() => "")),
  );
  const line = users?.split("\n").find((each) => each.startsWith(`${name}:`));
  if (line === undefined) return null;
  const [, , uid, gid] = line.split(":");
  const group = groups?.split("\n").find((each) => each.split(":")[2] === gid);
  return { name, group: group?.split(":")[0] ?? String(gid), uid: Number(uid), gid: Number(gid) };
}
