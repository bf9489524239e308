/**
 * What Prometheus is told of a gateway: of each fleet by a watcher of its loop, of webhooks and notifications by who answers and sends them.
 *
 *   loop ─► fleet-watcher.ts ─► [gateway-metrics.ts] ─► GET /metrics
 *
 * Labels hold fleets, nodes and words of closed sets: no commits, runs, VMs, people or addresses.
 */
import { Registry } from "prom-client";
import type { Clock } from "../../platform/clock.ts";
import { addProcessMetrics } from "../../platform/process-metrics.ts";
import type { HookOutcome } from "../hooks/hook-door.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import {
  type ClusterInstruments,
  type FollowedCluster,
  makeClusterInstruments,
  refreshCluster,
} from "./cluster-instruments.ts";
import { FleetWatcher } from "./fleet-watcher.ts";
import { type Instruments, makeInstruments, removeFleet } from "./instruments.ts";

/** `dropped`: given up, or the queue was full. `held`: told later, in a sum. */
export const NOTIFICATION_RESULTS = ["sent", "retried", "held", "dropped"] as const;
export type NotificationResult = (typeof NOTIFICATION_RESULTS)[number];

export class GatewayMetrics {
  readonly #registry = new Registry();
  readonly #instruments: Instruments = makeInstruments(this.#registry);
  readonly #watchers = new Map<string, FleetWatcher>();
  readonly #clock: Clock;
  #cluster: { readonly cluster: FollowedCluster; readonly instruments: ClusterInstruments } | null = null;
  /** Fleets whose series are to go before anybody is told of them again. */
  readonly #gone = new Set<string>();

  constructor({ version, clock }: { readonly version: string; readonly clock: Clock }) {
    this.#clock = clock;
    this.#instruments.info.set({ version }, 1);
    // What has not happened yet is 0, so that the first time is an increase.
    for (const kind of ["json", "slack"] as const)
      for (const result of NOTIFICATION_RESULTS) this.#instruments.notifications.inc({ kind, result }, 0);
    addProcessMetrics(this.#registry);
  }

  /** One for each fleet, for as long as the gateway turns it. Disposed, it leaves no series: nobody is to be woken for who has gone. */
  watcher(fleet: string): LoopWatcher & Disposable {
    const watcher = new FleetWatcher(fleet, this.#instruments, this.#clock);
    this.#watchers.set(fleet, watcher);
    this.#gone.delete(fleet);
    return Object.assign(watcher, {
      [Symbol.dispose]: () => {
        if (this.#watchers.get(fleet) !== watcher) return;
        this.#watchers.delete(fleet);
        this.#gone.add(fleet);
      },
    });
  }

  /** Whose gateways share an etcd: asked when Prometheus asks. */
  follow(cluster: FollowedCluster): void {
    this.#cluster = { cluster, instruments: makeClusterInstruments(this.#registry) };
  }

  /** `fleet` null: there is none of the name that was asked for; strangers make no series of their own. */
  hook(fleet: string | null, result: HookOutcome): void {
    this.#instruments.hooks.inc({ fleet: fleet ?? "", result });
  }

  notification(kind: "json" | "slack", result: NotificationResult): void {
    this.#instruments.notifications.inc({ kind, result });
  }

  /** In Prometheus's text format. */
  async render(): Promise<string> {
    for (const fleet of this.#gone) await removeFleet(this.#instruments, fleet);
    this.#gone.clear();
    for (const watcher of this.#watchers.values()) watcher.refresh();
    if (this.#cluster !== null) refreshCluster(this.#cluster.instruments, this.#cluster.cluster);
    return await this.#registry.metrics();
  }
}
