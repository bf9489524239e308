/**
 * The loop that turns one fleet by itself: carries out what `decide` says, and says how that ended.
 *
 *   source, agents, people ─► post ─► revision/decide.ts ─► acts: read, plan, apply, ask, tell
 *                               ▲                              │
 *                               └──────────────────────────────┘
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_GATEWAY_POLICY, type GatewayPolicy } from "../../model/desired-state.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import { decide, whyVoid } from "../revision/decide.ts";
import {
  type Act,
  awakened,
  type Holder,
  type LoopEvent,
  type LoopState,
  NOTHING_SEEN,
  wakeAt,
} from "../revision/loop-state.ts";
import { factsOf } from "../revision/plan-facts.ts";
import type { Because, RevisionId } from "../revision/revision.ts";
import { HeldElsewhere, type LoopParts, type LoopWatcher } from "./parts.ts";

/** Looks that come this close to one another are one: an agent tells each of a hundred guests. */
const LOOK_MS = 100;
/** How long the clock may be wrong for a timer of ours when somebody has put it right. */
const LONGEST_TIMER_MS = 30_000;
/** A source that says nothing in that time cannot be reached. */
const WAKE_MS = 2_000;
/** How often it is tried to write the memory again. */
const KEEP_MS = 2_000;

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
  #kept: LoopState | null = null;
  #timer: NodeJS.Timeout | null = null;
  #lookTimer: NodeJS.Timeout | null = null;
  #wakeTimer: NodeJS.Timeout | null = null;
  #keepTimer: NodeJS.Timeout | null = null;
  /** What happened while the memory was not, or could not be, written: nothing of it is decided before it is. */
  #unkept: LoopEvent[] = [];
  #isKeeping = false;

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
    await using _ = await this.#own(signal);
    if (signal.aborted) return;
    try {
      await this.#remember();
      await Promise.all([this.#followSource(within), this.#followWorld(within)]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#stop.abort(signal.reason);
      for (const timer of [this.#timer, this.#lookTimer, this.#wakeTimer, this.#keepTimer])
        if (timer !== null) clearTimeout(timer);
      await Promise.allSettled([...this.#busy]);
      await Promise.all([...this.#plans.values()].map((plan) => plan[Symbol.asyncDispose]()));
      await this.#parts.world[Symbol.asyncDispose]();
      this.#plans.clear();
    }
  }

  /**
   * To what was shown under these names. Told as void when something else is asked about by now. Throws FILE_UNWRITABLE when the
   * answer could not be written down: then it does not count.
   */
  answer(
    event: "approve" | "decline",
    about: { readonly revision: RevisionId; readonly plan: string },
    by: string,
  ): void {
    const { asked } = this.#state;
    const kind = event === "approve" ? "approve" : "refuse";
    const isMeant = asked !== null && whyVoid(this.#state, about, this.#said) === null;
    if (isMeant && this.#parts.world.order(asked.run, { kind, by })) return;
    this.#post({ event, ...about, by });
  }

  /** Two who remember the same would do everything twice. */
  async #own(signal: AbortSignal): Promise<AsyncDisposable | null> {
    const { memory, clock } = this.#parts;
    try {
      return (
        (await memory?.own(signal, (holder) => this.#watcher.told({ kind: "held", ...holder }, clock.now()))) ?? null
      );
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }

  async #remember(): Promise<void> {
    const kept = (await this.#parts.memory?.load()) ?? null;
    const runs = [kept?.turn?.kind === "applying" ? kept.turn.run : null, kept?.asked?.run];
    const remembered = new Set(runs.filter((run) => typeof run === "string"));
    await this.#parts.world.begin({ remembered, holder: this.#parts.memory?.holder() ?? null });
    if (kept === null) return;
    this.#state = awakened(kept);
    this.#kept = kept;
    this.#parts.source.recall?.(this.#state.revisions);
    // A source that is there says first what it has by now: that is read before anything of before is planned.
    this.#wakeTimer = setTimeout(() => this.#takeUp(), WAKE_MS);
  }

  #takeUp(): void {
    if (this.#wakeTimer === null) return;
    clearTimeout(this.#wakeTimer);
    this.#wakeTimer = null;
    this.#post({ event: "taken-up" });
  }

  async #followSource(signal: AbortSignal): Promise<void> {
    for await (const { id, what, commit } of this.#parts.source.revisions(signal))
      this.#see({ event: "seen", revision: id, what, commit });
  }

  #see(event: LoopEvent): void {
    this.#post(event);
    this.#takeUp();
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
    this.#unkept.push(event);
    if (this.#keepTimer === null && !this.#isKeeping) this.#decide();
  }

  /** Kept before anything is done of what was decided. */
  #decide(): void {
    const now = this.#parts.clock.now();
    const events = this.#unkept;
    const decision = decide(this.#state, events, this.#said, now);
    const { memory } = this.#parts;
    if (memory === null || isKeptBy(this.#kept, decision.state)) {
      this.#become(decision, events.length, now);
      return;
    }
    try {
      const keeping = memory.keep(decision.state);
      if (keeping === undefined) {
        this.#kept = decision.state;
        this.#become(decision, events.length, now);
      } else this.#wait(this.#becomeWhen(keeping, decision, events.length, now));
    } catch (error) {
      this.#keepLater(error, now);
    }
  }

  /** What comes in meanwhile is decided when that is over. */
  async #becomeWhen(
    keeping: Promise<void>,
    decision: ReturnType<typeof decide>,
    count: number,
    now: string,
  ): Promise<void> {
    this.#isKeeping = true;
    try {
      await keeping;
    } catch (error) {
      this.#isKeeping = false;
      if (!this.#stop.signal.aborted) this.#keepLater(error, now);
      return;
    }
    this.#isKeeping = false;
    this.#kept = decision.state;
    // The next loop does what was decided.
    if (this.#stop.signal.aborted) return;
    this.#become(decision, count, now);
    if (this.#unkept.length > 0) this.#decide();
  }

  #become({ state, acts }: ReturnType<typeof decide>, count: number, now: string): void {
    this.#unkept = this.#unkept.slice(count);
    this.#state = state;
    for (const act of acts) this.#perform(act, now);
    this.#forget();
    this.#setTimer();
    this.#watcher.changed(state);
  }

  #keepLater(error: unknown, now: string): void {
    this.#watcher.told({ kind: "unkept", because: becauseOf(error) }, now);
    this.#keepTimer = setTimeout(() => {
      this.#keepTimer = null;
      if (!this.#stop.signal.aborted) this.#decide();
    }, KEEP_MS);
  }

  #perform(act: Act, now: string): void {
    if (act.act === "tell") this.#watcher.told(act.told, now);
    else if (act.act === "ask") this.#wait(this.#ask(act));
    else if (act.act === "withdraw") this.#wait(this.#withdraw(act));
    else this.#wait(this.#answerOf(act).then((event) => this.#post(event)));
  }

  /** It is over before the loop is. */
  #wait(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }

  async #ask(
    { revision, plan, run }: Omit<Extract<Act, { readonly act: "ask" }>, "act">,
    isFirst = true,
  ): Promise<void> {
    const about = { revision, plan: plan.id };
    const order = {
      ...{ run, revision, planned: this.#plans.get(plan.id) ?? null },
      fleet: () => this.#fleetOf(revision),
    };
    const answers = {
      whyVoid: () => whyVoid(this.#state, about, this.#said),
      answered: (event: "approve" | "decline", by: string, reason?: string) =>
        this.#post({ event, ...about, by, reason }),
    };
    try {
      const asked = await this.#parts.world.ask(order, answers);
      if (asked.kind === "gone") return this.#post({ event: "unasked", ...about });
      if (asked.kind !== "waits")
        return this.#post({
          event: asked.kind === "approved" ? "approve" : "decline",
          ...about,
          by: asked.by,
          reason: asked.reason,
        });
      if (asked.planned === null) return;
      if (order.planned === null) this.#plans.set(plan.id, asked.planned);
      if (answers.whyVoid() === null) this.#watcher.asked(revision, asked.planned, run);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const because = becauseOf(error);
      this.#watcher.told({ kind: "trouble", revision, because }, this.#parts.clock.now());
      // Here it can be answered all the same.
      if (order.planned !== null && isFirst) this.#watcher.asked(revision, order.planned, null);
      await this.#pause();
      // Of one of an earlier loop nobody knows whether it was answered; one that is kept nowhere, only who is here can answer.
      if (this.#isOpen(about)) await this.#ask({ revision, plan, run }, false);
    }
  }

  #isOpen(about: Parameters<typeof whyVoid>[1]): boolean {
    if (this.#stop.signal.aborted) return false;
    return whyVoid(this.#state, about, this.#said) === null && this.#state.asked?.approvedBy === null;
  }

  /** Before something is tried again that could not be written or read. */
  async #pause(): Promise<void> {
    await sleep(KEEP_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  /** Until it is written down: what waits for nobody would be answered by somebody. */
  async #withdraw({ act: _, ...withdrawal }: Extract<Act, { readonly act: "withdraw" }>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        return await this.#parts.world.withdraw(withdrawal);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#watcher.told({ kind: "unkept", because: becauseOf(error) }, this.#parts.clock.now());
        await this.#pause();
      }
    }
  }

  async #answerOf(act: Exclude<Act, { readonly act: "tell" | "ask" | "withdraw" }>): Promise<LoopEvent> {
    const { revision } = act;
    try {
      if (act.act === "read") return await this.#read(revision);
      if (act.act === "plan") return await this.#plan(act);
      return await this.#apply(act);
    } catch (error) {
      if (error instanceof HeldElsewhere && act.act === "plan") {
        this.#wait(this.#release(error.holder));
        return { event: "held", revision, by: error.holder };
      }
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
    // A folder does not say any more what it said to an earlier loop: but this is the same.
    const before = revisions.find(({ id }) => id === inForce);
    if (before?.digest === digest && !this.#fleets.has(before.id)) this.#fleets.set(before.id, fleet);
    const policy = fleet.desired.fleet.policy.gateway ?? DEFAULT_GATEWAY_POLICY;
    return { event: "read", revision, digest, policy, isDoubtful };
  }

  async #plan({ revision, leaveOut }: Extract<Act, { readonly act: "plan" }>): Promise<LoopEvent> {
    const fleet = await this.#fleetOf(revision);
    const planned = await this.#parts.world.plan(fleet, leaveOut, this.#stop.signal);
    this.#watcher.seen?.(planned);
    const plan = factsOf(planned.plan);
    await this.#plans.get(plan.id)?.[Symbol.asyncDispose]();
    this.#plans.set(plan.id, planned);
    return { event: "planned", revision, plan, run: this.#parts.world.newRun() };
  }

  /** Of a revision that an earlier loop has read it is read again. */
  async #fleetOf(id: RevisionId): Promise<Fleet> {
    const known = this.#fleets.get(id);
    if (known !== undefined) return known;
    const { source, world } = this.#parts;
    const { fleet } = await source.read(id, null, this.#stop.signal);
    const revision = this.#state.revisions.find((each) => each.id === id);
    if (revision?.digest !== fleet.desired.digest)
      throw new OdoroboError("SOURCE_UNREADABLE", `what the manifests said as ${id} is not to be had any more`, {
        hint: "what they say now is taken up as soon as it has no mistakes",
      });
    await world.know(fleet, this.#stop.signal);
    this.#fleets.set(id, fleet);
    return fleet;
  }

  async #apply({ revision, plan, approvedBy, run }: Extract<Act, { readonly act: "apply" }>): Promise<LoopEvent> {
    const order = {
      ...{ run, approvedBy, planned: this.#plans.get(plan.id) ?? null },
      fleet: () => this.#fleetOf(revision),
      onTrouble: (because: Because) => this.#watcher.told({ kind: "unkept", because }, this.#parts.clock.now()),
    };
    const end = await this.#parts.world.apply(order, (event, id) => this.#watcher.applying?.(event, id));
    if (end.outcome === "held") this.#wait(this.#release(end.heldBy ?? { run: end.run, by: null, since: null }));
    return { event: "ended", revision, plan: plan.id, ...end };
  }

  async #release(holder: Holder): Promise<void> {
    await this.#parts.world.released(holder, this.#stop.signal).catch(() => {});
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

/** Whether that is written down already, but for what a new loop would find out by itself. */
const isKeptBy = (kept: LoopState | null, state: LoopState): boolean =>
  kept !== null &&
  kept.revisions === state.revisions &&
  kept.inForce === state.inForce &&
  kept.asked === state.asked &&
  applying(kept) === applying(state) &&
  kept.notBefore === state.notBefore &&
  kept.opens === state.opens &&
  kept.drift === state.drift;
const applying = ({ turn }: LoopState) => (turn?.kind === "applying" ? turn : null);

function becauseOf(error: unknown): Because {
  if (isOdoroboError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return { code: "INTERNAL", message: error instanceof Error ? error.message : String(error) };
}
