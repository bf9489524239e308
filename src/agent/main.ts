/**
 * Composes an agent and starts it: folders, lock, hypervisors, lifecycle, HTTP, in this order; stops it in the other.
 *
 *   config.ts → [main.ts] → http/ → lifecycle/ → hypervisor/ and supervisor/
 *
 * To add a hypervisor: one line in `HYPERVISORS`, one in config.ts.
 */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../platform/clock.ts";
import { catchSlips } from "../platform/http/slips.ts";
import { lockDataFolder } from "../platform/lock-folder.ts";
import type { Logger } from "../platform/logger.ts";
import { makeOwnFolder } from "../platform/make-folders.ts";
import { PACKAGE_ROOT } from "../platform/package-root.ts";
import { packageVersion } from "../platform/package-version.ts";
import { openLog } from "../platform/pino-log.ts";
import { type ChosenSupervisor, chooseSupervisor } from "./choose-supervisor.ts";
import type { AgentConfig, DrivenHypervisor } from "./config.ts";
import { Consoles } from "./console/consoles.ts";
import { createHooks } from "./hooks/hooks.ts";
import { openFront, readSecrets } from "./http/front.ts";
import { createCloudHypervisor } from "./hypervisor/cloud-hypervisor/driver.ts";
import type { Hypervisor } from "./hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "./hypervisor/noop/driver.ts";
import { createQemuHypervisor } from "./hypervisor/qemu/driver.ts";
import { readBootId, readCapacity, readOrMakeNodeId } from "./inventory/inventory.ts";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";
import { createLifecycle } from "./lifecycle/service.ts";
import { AgentMetrics } from "./metrics/agent-metrics.ts";
import { openNetworks } from "./network/network-keeper.ts";
import { hostNetwork } from "./network/tap.ts";
import { claimRunFolder } from "./store/run-folder.ts";
import type { Supervisor } from "./supervisor/supervisor.ts";

export interface RunningAgent extends AsyncDisposable {
  readonly nodeName: string;
  /** With the ports that were really given. */
  readonly urls: readonly string[];
  readonly lifecycle: Lifecycle;
}

export interface AgentParts {
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly supervisor?: Supervisor;
  /** This process is the agent: what falls past every catch in a request is kept from ending it. */
  readonly ownsProcess?: boolean;
}

const TINY_GUEST = fileURLToPath(new URL("guest/tiny.elf", PACKAGE_ROOT));

const HYPERVISORS: Readonly<Record<DrivenHypervisor, (config: AgentConfig, clock: Clock) => Hypervisor>> = {
  "cloud-hypervisor": ({ cloudHypervisor }, clock) =>
    createCloudHypervisor({ ...cloudHypervisor, tinyGuest: TINY_GUEST, clock }),
  qemu: ({ qemu }, clock) => createQemuHypervisor({ ...qemu, tinyGuest: TINY_GUEST, clock }),
  noop: (_, clock) => createNoopHypervisor({ clock }),
};

/**
 * Resolves when the agent knows all that runs on its node and answers. Disposing stops it gracefully: nobody new is let in,
 * what is being done is finished or journaled, and the guests go on.
 * Rejects with AGENT_CONFIG, AGENT_INSECURE, ADDRESS_IN_USE, DATA_FOLDER_IN_USE, DATA_FOLDER_MISMATCH or STORAGE_FAILED, with everything closed again.
 */
export async function startAgent(config: AgentConfig, parts: AgentParts = {}): Promise<RunningAgent> {
  const { clock = systemClock, log = openLog(config.log) } = parts;
  const version = packageVersion();
  await using opened = new AsyncDisposableStack();
  if (parts.ownsProcess) opened.use(catchSlips(log));

  await makeOwnFolders(config, log);
  opened.use(await lockDataFolder(config.dataFolder));
  const secrets = await readSecrets(config);
  const [id, bootId, capacity] = await Promise.all([
    readOrMakeNodeId(config.dataFolder, randomUUID),
    readBootId(),
    readCapacity(config.capacity),
  ]);

  const chosen = parts.supervisor === undefined ? opened.use(await chooseSupervisor(config, log)) : null;
  const supervisor = parts.supervisor ?? (chosen as ChosenSupervisor).supervisor;
  await claimRunFolder({ runFolder: config.runFolder, dataFolder: config.dataFolder, nodeId: id, supervisor, log });
  const consoles = new Consoles({ logger: log });
  const metrics = new AgentMetrics({ nodeName: config.nodeName, version, perVm: config.metricsPerVm });
  const lifecycle = opened.use(
    await createLifecycle({
      node: { name: config.nodeName, id, agentVersion: version, bootId },
      capacity,
      hypervisors: config.hypervisors.map((kind) => HYPERVISORS[kind](config, clock)),
      supervisor,
      network: await openNetworks({
        taps: hostNetwork({ owner: chosen?.guestUser ?? null }),
        ...{ owner: id, dataFolder: config.dataFolder, runFolder: config.runFolder, supervisor, logger: log },
      }),
      dataFolder: config.dataFolder,
      runFolder: config.runFolder,
      clock,
      logger: log,
      tally: metrics,
      consoles,
      hooks: createHooks({ folder: config.hooksFolder, logger: log }),
      startAfterReboot: config.startAfterReboot,
      allowedRoots: config.allowedRoots,
      imageSettings: config.images,
    }),
  );
  // Before lifecycle lets go of the guests: they go on, so their lines will not end by themselves.
  opened.use(consoles);

  const front = opened.use(await openFront({ config, secrets, lifecycle, consoles, version, metrics, clock, log }));
  log.info({ node: config.nodeName, urls: front.urls, data: config.dataFolder }, "the agent answers");

  const running = opened.move();
  return {
    nodeName: config.nodeName,
    urls: front.urls,
    lifecycle,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** What the command prints on stdout when others may begin to ask. */
export const readyLine = ({ nodeName, urls }: Pick<RunningAgent, "nodeName" | "urls">): string =>
  `odorobo agent ${nodeName} ready on ${urls.join(" ")}`;

async function makeOwnFolders({ dataFolder, runFolder }: AgentConfig, log: Logger): Promise<void> {
  await makeOwnFolder({ path: dataFolder, flag: "--data", code: "AGENT_CONFIG" }, log);
  await makeOwnFolder({ path: runFolder, flag: "--run", code: "AGENT_CONFIG" }, log);
}
