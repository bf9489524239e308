/**
 * The door of a watch: the same page and API as a gateway's, for its one fleet.
 *
 *   commands/watch.ts → [watch-door.ts] → http/gateway-door.ts
 */
import { basename, resolve } from "node:path";
import type { Clock } from "../../platform/clock.ts";
import { parseListenAddress } from "../../platform/http/listen-address.ts";
import type { Logger } from "../../platform/logger.ts";
import { packageVersion } from "../../platform/package-version.ts";
import type { RunStore } from "../../run/run-store.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import { ALONE } from "../loop/reign.ts";
import { GatewayMetrics } from "../metrics/gateway-metrics.ts";
import { CarriedOn } from "./carry-on.ts";
import { GatewayEvents } from "./event-log.ts";
import { fanOut } from "./fan-out.ts";
import { FleetView } from "./fleet-view.ts";
import { AgentLines } from "./guests/agent-lines.ts";
import { openGatewayDoor } from "./http/gateway-door.ts";
import { FleetSight } from "./sight/fleet-sight.ts";
import { Glancer, type GlancerOptions } from "./sight/glancer.ts";

export interface WatchDoorOptions {
  /** As `--listen` said. */
  readonly listen: string;
  /** Who shows that token may do all; null: on loopback everybody may look, and who may open the Unix socket may do all. */
  readonly tokenFile: string | null;
  readonly folder: string;
  readonly access: AgentAccess;
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hardSignal: AbortSignal;
}

export interface WatchDoor extends AsyncDisposable {
  readonly url: string;
  readonly watcher: LoopWatcher;
  readonly glancer: Glancer;
  /** What the fleet is called in addresses. */
  readonly fleet: string;
}

/** Rejects as `openGatewayDoor`. */
export async function openWatchDoor(options: WatchDoorOptions, glance: GlancerOptions["glance"]): Promise<WatchDoor> {
  const { listen, tokenFile, folder, access, runs, clock, log, hardSignal } = options;
  await using opened = new AsyncDisposableStack();
  const name = nameOf(folder);
  const version = packageVersion();
  const events = new GatewayEvents(clock);
  const sight = opened.use(
    new FleetSight({
      clock,
      life: events.life,
      isHeard: () => events.isHeard,
      onNews: (news, at) => events.tellNews(name, news, at),
    }),
  );
  const view = new FleetView({ name, repository: { url: resolve(folder), ref: null, path: null } }, () => null, sight);
  const glancer = opened.use(new Glancer({ sight, glance, clock, isWanted: () => view.isApplying && events.isHeard }));
  const agents = opened.use(new AgentLines(access));
  const metrics = new GatewayMetrics({ version, clock });
  const counted = opened.use(metrics.watcher(name));
  const carried = opened.use(new CarriedOn({ runs, clock, log, hardSignal, reign: ALONE }));
  const door = opened.use(
    await openGatewayDoor({
      config: {
        listen: parseListenAddress(listen),
        publicUrl: null,
        door: { tokenFile, accessFile: null, tls: null },
      },
      fleets: new Map([[name, { view, agents, history: null }]]),
      ...{ runs, events, metrics, clock, log, version },
      carryOn: (run, by) => carried.carryOn(run, by),
      since: clock.now(),
    }),
  );
  const running = opened.move();
  return {
    url: door.url,
    fleet: name,
    glancer,
    watcher: fanOut([view, events.watcher(name), counted], log),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A name as those of a gateway's entries are. */
function nameOf(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 63);
  return name === "" ? "fleet" : name;
}
