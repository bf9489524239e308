/**
 * A gateway: many fleets, one process. Composes it and starts it; stops it in the other order.
 *
 *   commands/gateway.ts → [gateway.ts] → fleet-service.ts, http/
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { lockDataFolder } from "../../platform/lock-folder.ts";
import type { Logger } from "../../platform/logger.ts";
import { makeFolders } from "../../platform/make-folders.ts";
import { packageVersion } from "../../platform/package-version.ts";
import { whoami } from "../../platform/whoami.ts";
import type { RunStore } from "../../run/run-store.ts";
import { originOf } from "../../turn/begun-run.ts";
import { LoopMemoryFile } from "../loop/memory-file.ts";
import type { LoopMemory, LoopWatcher } from "../loop/parts.ts";
import { openFleetNames } from "./fleet-names.ts";
import { type FleetParts, FleetService } from "./fleet-service.ts";
import type { FleetConfig, GatewayConfig } from "./gateway-config.ts";
import { openGatewayDoor } from "./http/gateway-door.ts";
import { openGitSource } from "./open-git-source.ts";

export interface GatewayParts {
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing is waited for any more. */
  readonly hardSignal: AbortSignal;
  /** Left out: repositories are polled. */
  readonly openSource?: FleetParts["openSource"];
  /** Left out: in the data folder. */
  readonly memoryOf?: (fleet: FleetConfig) => LoopMemory;
  /** Told of a fleet beside the log and the API. */
  readonly watchersOf?: (fleet: FleetConfig) => readonly LoopWatcher[];
}

export interface RunningGateway extends AsyncDisposable {
  /** With the port that was really given. */
  readonly url: string;
  readonly fleets: ReadonlyMap<string, FleetService>;
}

/**
 * Resolves when it answers; its fleets may not have been read by then. Disposing lets nobody new in, ends what is in flight and leaves
 * the rest paused; guests go on.
 * Rejects with AGENT_CONFIG, AGENT_INSECURE, ADDRESS_IN_USE, DATA_FOLDER_IN_USE or FILE_UNWRITABLE, with everything closed again.
 */
export async function startGateway(config: GatewayConfig, parts: GatewayParts): Promise<RunningGateway> {
  const { clock, log, runs } = parts;
  await using opened = new AsyncDisposableStack();
  await makeDataFolder(config.dataFolder, log);
  opened.use(await lockDataFolder(config.dataFolder, "gateway"));
  const names = await openFleetNames(config.dataFolder);
  names.keepOnly(config.fleets.map(({ name }) => name));
  const fleets = new Map<string, FleetService>();
  const door = opened.use(
    await openGatewayDoor({ config, fleets, runs, clock, log, version: packageVersion(), since: clock.now() }),
  );
  opened.defer(() => stopAll(fleets, log));
  for (const fleet of config.fleets) {
    fleets.set(
      fleet.name,
      new FleetService(fleet, {
        openSource:
          parts.openSource ??
          ((each, onTrouble) => openGitSource(each, { dataFolder: config.dataFolder, clock }, onTrouble)),
        runs,
        memory: parts.memoryOf?.(fleet) ?? memoryIn(config.dataFolder, fleet, parts),
        names,
        clock,
        log,
        watchers: parts.watchersOf?.(fleet) ?? [],
        hardSignal: parts.hardSignal,
      }),
    );
  }
  log.info({ url: door.url, fleets: [...fleets.keys()], data: config.dataFolder }, "the gateway answers");
  const running = opened.move();
  return { url: door.url, fleets, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function memoryIn(folder: string, { name, repository }: FleetConfig, { runs, clock, log }: GatewayParts): LoopMemory {
  const { url, ref, path } = repository;
  return new LoopMemoryFile({
    path: join(folder, "loops", `${name}.json`),
    of: JSON.stringify(originOf({ kind: "git", url, ref, path })),
    ...{ runs, clock, by: `odorobo gateway of ${whoami()}` },
    onTrouble: (message) => log.warn({ fleet: name }, message),
  });
}

async function stopAll(fleets: ReadonlyMap<string, FleetService>, log: Logger): Promise<void> {
  log.info({ fleets: [...fleets.keys()] }, "the gateway stops: what is in flight ends, guests go on");
  await Promise.all(
    [...fleets.values()].map(async (fleet) => {
      const run = await fleet.stop();
      const name = fleet.config.name;
      if (run !== null) log.warn({ fleet: name, run }, "a run was left in the middle: the next gateway carries it on");
      else log.info({ fleet: name }, "the fleet is let go of");
    }),
  );
}

/** For the gateway's user only: plans and journals are in there. A folder that is there already is left as it is. */
async function makeDataFolder(folder: string, log: Logger): Promise<void> {
  try {
    await makeFolders(folder);
    const { mode } = await stat(folder);
    if ((mode & 0o007) !== 0)
      log.warn({ folder }, "everybody on this machine can look into this folder: chmod 700 would keep them out");
  } catch (cause) {
    throw new OdoroboError("FILE_UNWRITABLE", `cannot make the folder ${folder}`, {
      cause,
      hint: "give a folder that this user may write to: --data FOLDER",
    });
  }
}
