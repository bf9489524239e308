/**
 * One fleet of a gateway: its repository, its loop, and those who are told what it does.
 *
 *   gateway.ts → [fleet-service.ts] → guarded-source.ts, ../loop/
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { RunStore } from "../../run/run-store.ts";
import type { HookFleet } from "../hooks/hook-door.ts";
import type { HookEvent } from "../hooks/hook-event.ts";
import { LiveWorld } from "../loop/live-world.ts";
import { Loop } from "../loop/loop.ts";
import type { LoopMemory, LoopWatcher, RevisionSource, SourceTrouble } from "../loop/parts.ts";
import type { Reign, Turn } from "../loop/reign.ts";
import { fanOut } from "./fan-out.ts";
import { FleetView } from "./fleet-view.ts";
import type { FleetConfig } from "./gateway-config.ts";
import { type FleetNames, GuardedSource } from "./guarded-source.ts";
import { AgentLines } from "./guests/agent-lines.ts";
import type { CommitHistory } from "./history/vm-commits.ts";
import { logWatcher } from "./log-watcher.ts";
import { FleetSight, type SightOptions } from "./sight/fleet-sight.ts";
import { Glancer } from "./sight/glancer.ts";

/** A source that can be told to look now. */
export interface PokedSource extends RevisionSource {
  poke(why: string): void;
}

/** Those who are told what becomes of a fleet: forge, notifications, metrics, the stream of events. */
export interface Outlets extends AsyncDisposable {
  readonly watchers: readonly LoopWatcher[];
  /** Of this fleet's own webhook. */
  hook(event: HookEvent): void;
}

export interface FleetParts {
  readonly openSource: (config: FleetConfig, onTrouble: (trouble: SourceTrouble | null) => void) => PokedSource;
  readonly runs: RunStore;
  readonly memory: LoopMemory | null;
  /** When it is this process that turns it. */
  readonly reign: Reign;
  /** While it is another; left out: nothing is seen then. Until the signal. */
  readonly lookOn?: (fleet: StoodBy, signal: AbortSignal) => Promise<void>;
  readonly names: FleetNames;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told beside the log and the view; closed with the fleet. */
  readonly outlets: Outlets;
  /** Told beside them. */
  readonly watchers?: readonly LoopWatcher[];
  /** Null: its manifests are in no repository. */
  readonly history: CommitHistory | null;
  /** Who is told what is seen of it. */
  readonly sight: Omit<SightOptions, "clock">;
  /** Whose webhooks are believed; null: nobody's. */
  readonly hook: Pick<HookFleet, "kind" | "secrets"> | null;
  /** Nothing is waited for any more. */
  readonly hardSignal: AbortSignal;
}

/** A fleet that another process turns. */
export interface StoodBy {
  readonly config: FleetConfig;
  readonly view: FleetView;
  readonly source: RevisionSource;
}

/** After a loop that could not go on, before it is begun again. */
const AGAIN_MS = 10_000;

export class FleetService {
  readonly config: FleetConfig;
  readonly view: FleetView;
  readonly agents: AgentLines;
  readonly history: CommitHistory | null;
  readonly #parts: FleetParts;
  readonly #glancer: Glancer;
  #world: LiveWorld | null = null;
  readonly #stop = new AbortController();
  readonly #source: PokedSource;
  readonly #guarded: GuardedSource;
  readonly #watcher: Required<LoopWatcher>;
  readonly #ended: Promise<void>;

  /** Begins at once. */
  constructor(config: FleetConfig, parts: FleetParts) {
    this.config = config;
    this.#parts = parts;
    this.history = parts.history;
    this.agents = new AgentLines(config.agents);
    this.view = new FleetView(
      config,
      (id) => this.#guarded.noteOf(id),
      new FleetSight({ ...parts.sight, clock: parts.clock }),
    );
    const { sight } = this.view;
    this.#glancer = new Glancer({
      ...{ sight, clock: parts.clock, isWanted: () => this.view.isApplying && parts.sight.isHeard() },
      glance: async () => await this.#world?.glance(),
    });
    const watchers = [...parts.outlets.watchers, ...(parts.watchers ?? [])];
    this.#watcher = fanOut([this.view, logWatcher(config.name, parts.log), ...watchers], parts.log);
    this.#source = parts.openSource(config, (trouble) => this.#watcher.source(trouble));
    this.#guarded = new GuardedSource(this.#source, config, parts.names, (revision, note) =>
      parts.log.warn({ fleet: config.name, revision }, `the policy of the revision is ${note}`),
    );
    this.#ended = this.#turn();
  }

  /** Whose webhooks are believed, and what is done then; null: nobody's. */
  get hook(): HookFleet | null {
    const { hook, outlets } = this.#parts;
    if (hook === null) return null;
    const onEvent = (event: HookEvent) => {
      outlets.hook(event);
      // Which ref it was is the repository's to say: it is asked what there is now.
      if (event.kind === "push") this.#source.poke("a push was told");
    };
    return { ...hook, onEvent };
  }

  /** Nothing new begins; resolves when what was in flight has ended. The run that is left paused, should there be one. */
  async stop(): Promise<string | null> {
    this.#stop.abort();
    await this.#ended;
    this.#glancer[Symbol.dispose]();
    this.view.sight[Symbol.dispose]();
    await this.agents[Symbol.asyncDispose]();
    await this.#parts.outlets[Symbol.asyncDispose]();
    return this.view.leftRun;
  }

  async #turn(): Promise<void> {
    const { clock, log } = this.#parts;
    while (!this.#stop.signal.aborted) {
      try {
        using turn = await this.#ours();
        const over = AbortSignal.any([this.#stop.signal, turn.lost]);
        await this.#loop(turn, over).run(over);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const because = isOdoroboError(error)
          ? { code: error.code, message: error.message, hint: error.hint ?? null }
          : { code: "INTERNAL" as const, message: String(error), hint: null };
        this.view.failed(because);
        log.error(
          { fleet: this.config.name, err: error, at: clock.now() },
          "the fleet cannot be kept as its repository says; it is tried again",
        );
        await sleep(AGAIN_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }

  async #ours(): Promise<Turn> {
    const { reign, lookOn } = this.#parts;
    const { signal } = this.#stop;
    const ours = new AbortController();
    const { config, view } = this;
    const looking = lookOn?.({ config, view, source: this.#guarded }, AbortSignal.any([signal, ours.signal]));
    try {
      return await reign.begins(signal);
    } finally {
      ours.abort();
      await looking;
    }
  }

  #loop({ term }: Turn, signal: AbortSignal): Loop {
    const { repository, agents, intervalMs } = this.config;
    const { runs, clock, memory, hardSignal } = this.#parts;
    const world = new LiveWorld({
      location: { kind: "git", url: repository.url, ref: repository.ref, path: repository.path },
      access: agents,
      runs,
      clock,
      who: WHO,
      term,
      signal,
      hardSignal,
      intervalMs,
      onNews: () => this.#glancer.nudge(),
    });
    this.#world = world;
    return new Loop({ source: this.#guarded, world, clock, memory }, this.#watcher, {});
  }
}

/** In `by` of the runs that it begins. */
const WHO = "gateway";
