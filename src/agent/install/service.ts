/** A unit of systemd's that is ours: enabled, started, stopped. */
import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../model/errors.ts";
import type { ListenAddress } from "../../platform/http/listen-address.ts";
import { SystemdManager } from "../supervisor/systemd/manager.ts";
import { type Change, change, type Installed } from "./host-changes.ts";

export interface Service {
  readonly unit: string;
  readonly bus: string;
  readonly listen: readonly ListenAddress[];
}

/** A first start reads all VMs and looks for all guests; a slow disk takes its time. */
const ANSWER_PATIENCE_MS = 60_000;

/** Resolves when it runs and answers. Rejects with SUPERVISOR_UNAVAILABLE. */
export async function startService(
  { unit, bus, listen }: Service,
  isChanged: boolean,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Installed> {
  return withSystemd(bus, async (systemd) => {
    const changes: Change[] = [];
    if (isChanged && !dryRun) await systemd.reload();
    const isEnabled = (await systemd.unitFileState(unit)) === "enabled";
    changes.push(change("unit", unit, isEnabled ? "keep" : "enable", isEnabled ? "enabled" : null));
    if (!isEnabled && !dryRun) {
      await systemd.enable(unit);
      await systemd.reload();
    }
    const { active } = await systemd.state(unit);
    const action = active !== "active" ? "start" : isChanged ? "restart" : "keep";
    changes.push(change("unit", unit, action, action === "keep" ? "runs" : null));
    if (dryRun) return { changes, isRunning: null };
    if (action !== "keep") await (action === "start" ? systemd.start(unit) : systemd.restart(unit));
    await whenItAnswers(systemd, unit, listen, signal);
    return { changes, isRunning: true };
  });
}

/** systemd restarts one that ends, so a broken one is one that does not answer. */
async function whenItAnswers(
  systemd: SystemdManager,
  unit: string,
  listen: readonly ListenAddress[],
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + ANSWER_PATIENCE_MS;
  for (;;) {
    const state = await systemd.state(unit);
    const ended = state.sub === "auto-restart" || state.active === "failed";
    if (!ended && (await Promise.all(listen.map(answers))).every(Boolean)) return;
    if (ended || performance.now() > until) {
      throw new OdoroboError(
        "SUPERVISOR_UNAVAILABLE",
        `${unit} was started and ${ended ? "ended at once" : "does not answer"}`,
        {
          hint: `look why: journalctl -u ${unit} -n 20`,
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

export async function stopService(
  { unit, bus }: Pick<Service, "unit" | "bus">,
  dryRun: boolean,
): Promise<readonly Change[]> {
  return withSystemd(bus, async (systemd) => {
    const changes: Change[] = [];
    if ((await systemd.state(unit)).active !== "inactive") {
      changes.push(change("unit", unit, "stop", "guests go on"));
      if (!dryRun) {
        await systemd.stop(unit);
        await systemd.resetFailed(unit);
      }
    }
    if ((await systemd.unitFileState(unit)) === "enabled") {
      changes.push(change("unit", unit, "disable", null));
      if (!dryRun) await systemd.disable(unit);
    }
    return changes;
  });
}

export async function withSystemd<Value>(
  bus: string,
  work: (systemd: SystemdManager) => Promise<Value>,
): Promise<Value> {
  await using systemd = new SystemdManager(bus);
  return await work(systemd);
}
