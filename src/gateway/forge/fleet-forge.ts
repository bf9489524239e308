/** All that one fleet's forge is told: statuses of its revisions, plans of its pull requests. What a gateway opens for each fleet. */
import { join } from "node:path";
import type { GatewayPolicy } from "../../model/desired-state.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Repository } from "../../source/repository.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import { planFor, unlessEmptying } from "../../turn/plan-fleet.ts";
import type { Fleet, FleetLocation } from "../../turn/read-fleet.ts";
import type { HookEvent } from "../hooks/hook-event.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import type { Revision } from "../revision/revision.ts";
import type { ForgeConfig } from "./forge.ts";
import { openForge } from "./open-forge.ts";
import { PullRequests } from "./plan-pull-requests.ts";
import { tellStatuses } from "./tell-statuses.ts";

export interface FleetForgeOptions {
  /** By its name in the gateway. */
  readonly fleet: string;
  readonly config: ForgeConfig;
  /** A page of a revision; null: there is none. */
  readonly link: (revision: Revision) => string | null;
  /** Where `told-NAME.json` is kept. */
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Null: pull requests are not planned. */
  readonly pullRequests: PullRequestPlanning | null;
}

export interface PullRequestPlanning {
  readonly repository: Repository;
  /** A branch; null: `main`. Others want into other branches, and are not planned. */
  readonly ref: string | null;
  readonly path: string | null;
  readonly access: AgentAccess;
  readonly forks: boolean;
  readonly policyOf?: (fleet: Fleet) => GatewayPolicy;
}

export interface FleetForge extends AsyncDisposable {
  readonly watchers: readonly LoopWatcher[];
  /** Of this fleet's hook, whatever it says. */
  hook(event: HookEvent): void;
  /** What is wrong with telling, in words; null: nothing is. */
  readonly trouble: string | null;
}

/** Rejects as `openForge`. Disposing waits for what is being told just now, and no longer. */
export async function openFleetForge(options: FleetForgeOptions): Promise<FleetForge> {
  const { fleet, config, link, dataFolder, log, pullRequests } = options;
  const stop = new AbortController();
  const forge = await openForge(config);
  const { signal } = stop;
  const memoryFile = join(dataFolder, `told-${fleet}.json`);
  const teller = await tellStatuses({ forge, fleet, log, signal, link, memoryFile });
  const pulls = pullRequests === null ? null : planPulls(pullRequests, options, { forge, queue: teller.queue, signal });
  const running = pulls?.run();
  return {
    watchers: [teller, ...(pulls === null ? [] : [pulls.watcher])],
    hook: (event) => pulls?.hook(event),
    get trouble() {
      return teller.queue.trouble;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      await teller.settled();
    },
  };
}

function planPulls(
  { repository, ref, path, access, forks, policyOf }: PullRequestPlanning,
  { fleet, clock, log }: FleetForgeOptions,
  parts: Pick<ConstructorParameters<typeof PullRequests>[0], "forge" | "queue" | "signal">,
): PullRequests {
  const location: FleetLocation = { kind: "git", url: repository.url, ref, path };
  const allowances = { maxClass: null, allowDestroy: null };
  return new PullRequests({
    ...parts,
    fleet,
    log,
    repository,
    base: (ref ?? "main").replace(/^refs\/heads\//, ""),
    path,
    forks,
    policyOf,
    plan: async (read, signal) =>
      await unlessEmptying(await planFor(read, { location, access, selection: null, allowances, clock }, signal)),
  });
}
