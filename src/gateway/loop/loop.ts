/**
 * The loop that turns one fleet by itself: carries out what `decide` says, and says how that ended.
 *
 *   source, agents, people ─► post ─► revision/decide.ts ─► acts: read, plan, apply, ask, tell
 *                               ▲                              │
 *                               └──────────────────────────────┘
 */
import { DEFAULT_GATEWAY_POLICY, type GatewayPolicy } from "../../model/desired-state.ts";
import { isOdoroboError } from "../../model/errors.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import { decide } from "../revision/decide.ts";
import { type Act, type LoopEvent, type LoopState, NOTHING_SEEN, wakeAt } from "../revision/loop-state.ts";
import { factsOf } from "../revision/plan-facts.ts";
import type { Because, RevisionId } from "../revision/revision.ts";
import type { LoopParts, LoopWatcher } from "./parts.ts";

/** Looks that come this close to one another are one: an agent tells each of a hundred guests. */
const LOOK_MS = 100;
/** The longest that a timer of the runtime can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Loop {
  readonly #parts: LoopParts;
  readonly #watcher: LoopWatcher;
  readonly #said: Partial<GatewayPolicy>;
  readonly #stop = new AbortController();
  readonly #busy = new Set<Promise<void>>();
  readonly #fleets = new Map<RevisionId, Fleet>();
  /** Those that may still be applied: the one made last, and the one that waits for an answer. */
  readonly #plans = new Map<string, PlannedFleet>();
  #state: LoopState = NOTHING_SEEN;
  #timer: NodeJS.Timeout | null = null;
  #lookTimer: NodeJS.Timeout | null = null;

  /** `said`: what the person who started it says of policy, above what the manifests say. */
  constructor(parts: LoopParts, watcher: LoopWatcher, said: Partial<GatewayPolicy>) {
    this.#parts = parts;
    this.#watcher = watcher;
    this.#said = said;
  }

  /**
   * Turns until the signal: then nothing new begins, and what has begun is let go of as its parts do when they are asked to stop.
   * Rejects when the source or the agents cannot be followed at all.
   */
  async run(signal: AbortSignal): Promise<void> {
    const within = AbortSignal.any([signal, this.#stop.signal]);
    try {
      await Promise.all([this.#followSource(within), this.#followWorld(within)]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#stop.abort(signal.reason);
      for (const timer of [this.#timer, this.#lookTimer]) if (timer !== null) clearTimeout(timer);
      await Promise.allSettled([...this.#busy]);
      await Promise.all([...this.#plans.values()].map((plan) => plan[Symbol.asyncDispose]()));
      this.#plans.clear();
    }
  }

  /** To what was shown under these names. Told as void when something else is asked about by now. */
  answer(
    event: "approve" | "decline",
    about: { readonly revision: RevisionId; readonly plan: string },
    by: string,
  ): void {
    this.#post({ event, ...about, by });
  }

  async #followSource(signal: AbortSignal): Promise<void> {
    for await (const { id, what, commit } of this.#parts.source.revisions(signal))
      this.#post({ event: "seen", revision: id, what, commit });
  }

  async #followWorld(signal: AbortSignal): Promise<void> {
    for await (const why of this.#parts.world.changes(signal))
      this.#lookTimer ??= setTimeout(() => {
        this.#lookTimer = null;
        this.#post({ event: "look", why });
      }, LOOK_MS);
  }

  #post(event: LoopEvent): void {
    if (this.#stop.signal.aborted) return;
    const now = this.#parts.clock.now();
    const { state, acts } = decide(this.#state, [event], this.#said, now);
    this.#state = state;
    for (const act of acts) this.#perform(act, now);
    this.#forget();
    this.#setTimer();
    this.#watcher.changed(state);
  }

  #perform(act: Act, now: string): void {
    if (act.act === "tell") this.#watcher.told(act.told, now);
    else if (act.act === "ask") {
      const planned = this.#plans.get(act.plan.id);
      if (planned !== undefined) this.#watcher.asked(act.revision, planned, null);
    } else this.#wait(this.#answerOf(act).then((event) => this.#post(event)));
  }

  /** It is over before the loop is. */
  #wait(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }

  async #answerOf(act: Exclude<Act, { readonly act: "tell" | "ask" }>): Promise<LoopEvent> {
    const { revision } = act;
    try {
      if (act.act === "read") return await this.#read(revision);
      if (act.act === "plan") return await this.#plan(act);
      return await this.#apply(act);
    } catch (error) {
      const because = becauseOf(error);
      if (act.act === "read") return { event: "unreadable", revision, because };
      if (act.act === "plan") return { event: "unplannable", revision, because };
      return { event: "ended", revision, plan: act.plan.id, run: null, outcome: "failed", undone: [], because };
    }
  }

  async #read(revision: RevisionId): Promise<LoopEvent> {
    const { source, world } = this.#parts;
    const { revisions, inForce } = this.#state;
    const since = revisions.find(({ id }) => id === inForce)?.commit ?? null;
    const { fleet, isDoubtful } = await source.read(revision, since, this.#stop.signal);
    await world.know(fleet, this.#stop.signal);
    this.#fleets.set(revision, fleet);
    const { digest } = fleet.desired;
    const policy = fleet.desired.fleet.policy.gateway ?? DEFAULT_GATEWAY_POLICY;
    return { event: "read", revision, digest, policy, isDoubtful };
  }

  async #plan({ revision, leaveOut }: Extract<Act, { readonly act: "plan" }>): Promise<LoopEvent> {
    const fleet = this.#fleets.get(revision);
    if (fleet === undefined) throw new Error(`nobody has read ${revision}`);
    const planned = await this.#parts.world.plan(fleet, leaveOut, this.#stop.signal);
    this.#watcher.seen?.(planned);
    const plan = factsOf(planned.plan);
    await this.#plans.get(plan.id)?.[Symbol.asyncDispose]();
    this.#plans.set(plan.id, planned);
    return { event: "planned", revision, plan };
  }

  async #apply({ revision, plan, approvedBy }: Extract<Act, { readonly act: "apply" }>): Promise<LoopEvent> {
    const planned = this.#plans.get(plan.id);
    if (planned === undefined) throw new Error(`nobody has made the plan ${plan.id}`);
    const end = await this.#parts.world.apply(planned, approvedBy, (event, run) =>
      this.#watcher.applying?.(event, run),
    );
    if (end.outcome === "held" && end.run !== null) this.#wait(this.#release(end.run));
    return { event: "ended", revision, plan: plan.id, ...end };
  }

  async #release(run: string): Promise<void> {
    await this.#parts.world.released(run, this.#stop.signal).catch(() => {});
    this.#post({ event: "released" });
  }

  /** Plans and fleets that nothing of the state speaks of any more. */
  #forget(): void {
    const { turn, asked, revisions } = this.#state;
    const plans = new Set([turn?.kind === "applying" ? turn.plan.id : null, asked?.plan.id]);
    for (const [id, planned] of this.#plans) {
      if (plans.has(id)) continue;
      this.#plans.delete(id);
      void planned[Symbol.asyncDispose]();
    }
    const known = new Set(revisions.map(({ id }) => id));
    for (const id of this.#fleets.keys()) if (!known.has(id)) this.#fleets.delete(id);
  }

  #setTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const at = wakeAt(this.#state);
    if (at === null) return;
    const rest = Math.max(0, Date.parse(at) - Date.parse(this.#parts.clock.now()));
    this.#timer = setTimeout(() => this.#post({ event: "tick" }), Math.min(rest + 1, LONGEST_TIMER_MS));
  }
}

function becauseOf(error: unknown): Because {
  if (isOdoroboError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return { code: "INTERNAL", message: error instanceof Error ? error.message : String(error) };
}
