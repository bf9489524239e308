/**
 * All who are told what becomes of one fleet. One that cannot be opened costs itself: the fleet is turned all the same, and the log says
 * so.
 */

import { DEFAULT_GATEWAY_POLICY } from "../../model/desired-state.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { Repository } from "../../source/repository.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import { openFleetForge, type PullRequestPlanning } from "../forge/fleet-forge.ts";
import type { HookEvent } from "../hooks/hook-event.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import type { GatewayMetrics } from "../metrics/gateway-metrics.ts";
import { openNotifier } from "../notify/notifier.ts";
import type { GatewayEvents } from "./event-log.ts";
import type { Outlets } from "./fleet-service.ts";
import type { FleetConfig } from "./gateway-config.ts";
import { holdBelow } from "./policy-ceiling.ts";

export interface OutletParts {
  readonly publicUrl: string | null;
  readonly dataFolder: string;
  readonly events: GatewayEvents;
  readonly metrics: GatewayMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function openOutlets(config: FleetConfig, parts: OutletParts): Promise<Outlets> {
  const { name, notify } = config;
  const { publicUrl, events, metrics, log } = parts;
  const opened = new AsyncDisposableStack();
  const watchers: LoopWatcher[] = [events.watcher(name), opened.use(metrics.watcher(name))];
  const hooks: ((event: HookEvent) => void)[] = [];
  const attempt = async (what: string, work: () => Promise<void>) => {
    await work().catch((error: unknown) => log.error({ fleet: name, err: error }, `${what} cannot be told`));
  };
  if (notify.length > 0) {
    await attempt("receivers of notifications", async () => {
      const counted = (kind: "json" | "slack", result: Parameters<GatewayMetrics["notification"]>[1]) =>
        metrics.notification(kind, result);
      const notifier = opened.use(await openNotifier({ ...parts, fleet: name, targets: notify, counted }));
      watchers.push(notifier.watcher);
    });
  }
  const { forge } = config;
  if (forge !== null && forge.kind !== "generic" && forge.api !== null) {
    const api = { kind: forge.kind, ...forge.api };
    await attempt("the forge", async () => {
      const link = () => (publicUrl === null ? null : `${publicUrl}/v1/fleets/${name}`);
      const pullRequests = forge.pullRequests ? planningOf(config, parts) : null;
      const told = opened.use(await openFleetForge({ ...parts, fleet: name, config: api, link, pullRequests }));
      watchers.push(...told.watchers);
      hooks.push((event) => told.hook(event));
    });
  }
  return {
    watchers,
    hook: (event) => {
      for (const hook of hooks) hook(event);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Those of forks only where somebody said so: see the threat model. */
function planningOf(
  { repository, agents, forge, ceiling }: FleetConfig,
  { dataFolder }: OutletParts,
): PullRequestPlanning {
  const { url, ref, path, ...credentials } = repository;
  const forks = forge?.forks ?? false;
  const policyOf = ({ desired }: Fleet) =>
    holdBelow(desired.fleet.policy.gateway ?? DEFAULT_GATEWAY_POLICY, ceiling).policy;
  return { repository: new Repository({ url, credentials }, dataFolder), ref, path, access: agents, forks, policyOf };
}
