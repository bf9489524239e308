/** The fleets that a gateway turns just now: begun, ended, and begun anew when the file says something else of them. */
import { join } from "node:path";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { whoami } from "../../platform/whoami.ts";
import type { RunStore } from "../../run/run-store.ts";
import { Repository } from "../../source/repository.ts";
import { originOf } from "../../turn/runs/begun-run.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { lookOn } from "../cluster/look-on.ts";
import { LoopMemoryFile } from "../loop/memory-file.ts";
import type { LoopMemory, LoopWatcher } from "../loop/parts.ts";
import { ALONE } from "../loop/reign.ts";
import type { GatewayMetrics } from "../metrics/gateway-metrics.ts";
import type { GatewayEvents } from "./event-log.ts";
import { openFleetHook } from "./fleet-hook.ts";
import { type FleetParts, FleetService, type StoodBy } from "./fleet-service.ts";
import type { FleetConfig } from "./gateway-config.ts";
import type { FleetNames } from "./guarded-source.ts";
import { heldMemory } from "./held-memory.ts";
import { CommitHistory } from "./history/vm-commits.ts";
import { openGitSource } from "./open-git-source.ts";
import { openOutlets } from "./open-outlets.ts";

export interface FleetsParts {
  readonly runs: RunStore;
  /** Null: this gateway is alone. */
  readonly cluster: Cluster | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hardSignal: AbortSignal;
  readonly dataFolder: string;
  readonly publicUrl: string | null;
  readonly names: FleetNames & { keepOnly(entries: readonly string[]): void };
  readonly events: GatewayEvents;
  readonly metrics: GatewayMetrics;
  /** Told of a fleet beside all others. */
  readonly watchersOf?: (fleet: FleetConfig) => readonly LoopWatcher[];
  readonly openSource?: FleetParts["openSource"];
}

/** Names of entries. */
export interface Reloaded {
  readonly begun: readonly string[];
  readonly changed: readonly string[];
  readonly ended: readonly string[];
}

export class Fleets implements AsyncDisposable {
  readonly #parts: FleetsParts;
  /** In the order of the file. */
  readonly #all = new Map<string, FleetService>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: FleetsParts) {
    this.#parts = parts;
  }

  get all(): ReadonlyMap<string, FleetService> {
    return this.#all;
  }

  /** These and no others from now on. One reload at a time. */
  turn(configs: readonly FleetConfig[]): Promise<Reloaded> {
    const mine = this.#turn.then(() => this.#change(configs));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #change(configs: readonly FleetConfig[]): Promise<Reloaded> {
    const wanted = new Map(configs.map((config) => [config.name, config]));
    const isSame = ({ config }: FleetService) => JSON.stringify(config) === JSON.stringify(wanted.get(config.name));
    const leaving = [...this.#all.values()].filter((fleet) => !isSame(fleet));
    await Promise.all(leaving.map((fleet) => this.#end(fleet)));
    this.#parts.names.keepOnly([...wanted.keys()]);
    const coming = configs.filter(({ name }) => !this.#all.has(name));
    for (const config of coming) this.#all.set(config.name, await this.#begin(config));
    const before = new Set(leaving.map(({ config }) => config.name));
    return {
      begun: coming.map(({ name }) => name).filter((name) => !before.has(name)),
      changed: coming.map(({ name }) => name).filter((name) => before.has(name)),
      ended: [...before].filter((name) => !wanted.has(name)),
    };
  }

  async #begin(config: FleetConfig): Promise<FleetService> {
    const { dataFolder, clock, log, events, cluster } = this.#parts;
    const inEtcd = cluster?.memoryOf(config.name, placeOf(config)) ?? null;
    return new FleetService(config, {
      ...this.#parts,
      openSource:
        this.#parts.openSource ?? ((each, onTrouble) => openGitSource(each, { dataFolder, clock }, onTrouble)),
      watchers: this.#parts.watchersOf?.(config) ?? [],
      history: historyOf(config, dataFolder),
      sight: {
        life: events.life,
        isHeard: () => events.isHeard,
        onNews: (news, at) => events.tellNews(config.name, news, at),
      },
      memory: heldMemory(inEtcd ?? memoryIn(config, this.#parts), config.ceiling),
      reign: cluster?.reign ?? ALONE,
      ...(cluster !== null &&
        inEtcd !== null && {
          lookOn: (fleet: StoodBy, signal: AbortSignal) =>
            lookOn(
              {
                ...{ cluster, entry: config.name, look: () => inEtcd.look(), source: fleet.source, view: fleet.view },
                ...{ access: config.agents, clock, intervalMs: config.intervalMs },
                onTrouble: (err) => log.warn({ fleet: config.name, err }, "the fleet that another turns is not seen"),
              },
              signal,
            ),
        }),
      outlets: await openOutlets(config, this.#parts),
      hook: await openFleetHook(config, log),
    });
  }

  async #end(fleet: FleetService): Promise<void> {
    const { log } = this.#parts;
    const { name } = fleet.config;
    const run = await fleet.stop();
    this.#all.delete(name);
    if (run !== null) log.warn({ fleet: name, run }, "a run was left in the middle: the next gateway carries it on");
    else log.info({ fleet: name }, "the fleet is let go of");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await Promise.all([...this.#all.values()].map((fleet) => this.#end(fleet)));
  }
}

function historyOf({ repository }: FleetConfig, dataFolder: string): CommitHistory {
  const { url, ref: _, path, ...credentials } = repository;
  return new CommitHistory(new Repository({ url, credentials }, dataFolder), path);
}

/** What the loop of it turns. */
const placeOf = ({ repository: { url, ref, path } }: FleetConfig): string =>
  JSON.stringify(originOf({ kind: "git", url, ref, path }));

function memoryIn(config: FleetConfig, { dataFolder, runs, clock, log }: FleetsParts): LoopMemory {
  const { name } = config;
  return new LoopMemoryFile({
    path: join(dataFolder, "loops", `${name}.json`),
    of: placeOf(config),
    ...{ runs, clock, by: `odorobo gateway of ${whoami()}` },
    onTrouble: (message) => log.warn({ fleet: name }, message),
  });
}
