/**
 * A gateway: many fleets, one process. Composes it and starts it; stops it in the other order.
 *
 *   commands/gateway.ts → [gateway.ts] → fleets.ts, http/
 */
import type { Clock } from "../../platform/clock.ts";
import { lockDataFolder } from "../../platform/lock-folder.ts";
import type { Logger } from "../../platform/logger.ts";
import { makeOwnFolder } from "../../platform/make-folders.ts";
import { packageVersion } from "../../platform/package-version.ts";
import type { RunStore } from "../../run/run-store.ts";
import { type Cluster, openCluster } from "../cluster/cluster.ts";
import { etcdNames } from "../cluster/etcd-fleet-names.ts";
import { hookHandler } from "../hooks/hook-door.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import { ALONE } from "../loop/reign.ts";
import { GatewayMetrics } from "../metrics/gateway-metrics.ts";
import { CarriedOn } from "./carry-on.ts";
import { GatewayEvents } from "./event-log.ts";
import { keptNames, openFleetNames } from "./fleet-names.ts";
import type { FleetParts } from "./fleet-service.ts";
import { Fleets, type Reloaded } from "./fleets.ts";
import type { FleetConfig, GatewayConfig } from "./gateway-config.ts";
import { openGatewayDoor } from "./http/gateway-door.ts";

export interface GatewayParts {
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing is waited for any more. */
  readonly hardSignal: AbortSignal;
  /** Told of a fleet beside all others. */
  readonly watchersOf?: (fleet: FleetConfig) => readonly LoopWatcher[];
  /** Where the page lies; left out: where it is built. */
  readonly pageFolder?: string;
  /** Left out: its repository, as `openGitSource` opens it. */
  readonly openSource?: FleetParts["openSource"];
}

export interface RunningGateway extends AsyncDisposable {
  /** With the port that was really given. */
  readonly url: string;
  /** Begins those that are new, ends those that are gone, begins those anew that are said otherwise; the others do not notice. */
  reload(fleets: readonly FleetConfig[]): Promise<Reloaded>;
}

/**
 * Resolves when it answers; its fleets may not have been read by then. Disposing lets nobody new in, ends what is in flight and leaves
 * the rest paused; guests go on.
 * Rejects with AGENT_CONFIG, AGENT_INSECURE, ADDRESS_IN_USE, DATA_FOLDER_IN_USE or FILE_UNWRITABLE, with everything closed again.
 */
export async function startGateway(config: GatewayConfig, parts: GatewayParts): Promise<RunningGateway> {
  const { clock, log, hardSignal } = parts;
  const { dataFolder } = config;
  const version = packageVersion();
  await using opened = new AsyncDisposableStack();
  await makeOwnFolder({ path: dataFolder, flag: "--data", code: "FILE_UNWRITABLE" }, log);
  opened.use(await lockDataFolder(dataFolder, "gateway"));
  const events = new GatewayEvents(clock);
  const metrics = new GatewayMetrics({ version, clock });
  const inCluster = config.cluster ?? null;
  const cluster: Cluster | null =
    inCluster === null
      ? null
      : opened.use(
          await openCluster(inCluster, {
            ...{ clock, log, url: config.publicUrl },
            carryOn: (run, by) => carried.carryOn(run, by),
            told: () => {},
          }),
        );
  const runs: RunStore = cluster?.runs ?? parts.runs;
  const carried: CarriedOn = opened.use(
    new CarriedOn({ runs, clock, log, hardSignal, reign: cluster?.reign ?? ALONE }),
  );
  const names = cluster === null ? await openFleetNames(dataFolder) : keptNames(etcdNames(cluster.etcd));
  if (cluster !== null) metrics.follow(cluster);
  const { publicUrl } = config;
  const fleets = opened.use(new Fleets({ ...parts, runs, cluster, publicUrl, dataFolder, names, events, metrics }));
  const door = opened.use(
    await openGatewayDoor({
      config,
      pageFolder: parts.pageFolder,
      fleets: fleets.all,
      runs,
      events,
      metrics,
      carryOn: (run, by) => (cluster ?? carried).carryOn(run, by),
      cluster,
      hooks: hookHandler((name) => fleets.all.get(name)?.hook ?? null, {
        clock,
        log,
        counted: (fleet, outcome) => metrics.hook(fleet, outcome),
      }),
      clock,
      log,
      version,
      since: clock.now(),
    }),
  );
  await fleets.turn(config.fleets);
  cluster?.begin();
  log.info({ url: door.url, fleets: [...fleets.all.keys()], data: dataFolder }, "the gateway answers");
  const running = opened.move();
  return {
    url: door.url,
    reload: (next) => fleets.turn(next),
    [Symbol.asyncDispose]: () => {
      log.info({ fleets: [...fleets.all.keys()] }, "the gateway stops: what is in flight ends, guests go on");
      return running.disposeAsync();
    },
  };
}
