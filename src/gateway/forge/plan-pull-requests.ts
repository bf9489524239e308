/**
 * Plans what merging each open pull request would do, and says it there: in one comment, and at its head. With the fleet's agents,
 * which are only asked. Nothing of it is ever applied.
 *
 *   hooks, a poll, the loop ─► look ─► repository: head, base, merge ─► plan ─► pull-comment.ts ─► forge.ts
 *
 * Invariants: one is planned at a time; who may not be asked is in `known-nodes.ts`; forks are planned only where that is allowed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_GATEWAY_POLICY, type DesiredNode, type GatewayPolicy } from "../../model/desired-state.ts";
import { digestOf } from "../../model/digest.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Instant } from "../../model/names.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { Logger } from "../../platform/logger.ts";
import { describeNothing, summarize } from "../../report/plan/plan-summary.ts";
import type { Repository } from "../../source/repository.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import { type Fleet, loadFleetAt } from "../../turn/read-fleet.ts";
import type { HookEvent } from "../hooks/hook-event.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import type { Forge, OpenPullRequest } from "./forge.ts";
import { askOnlyKnown } from "./known-nodes.ts";
import { markerOf, type PlannedPull, renderPullComment } from "./pull-comment.ts";
import { verdictOf } from "./pull-verdict.ts";
import { firstLine, type Said } from "./status-of.ts";
import type { StatusQueue } from "./status-queue.ts";

export interface PullRequestOptions {
  readonly forge: Forge;
  /** By its name in the gateway. */
  readonly fleet: string;
  readonly repository: Pick<Repository, "resolve" | "fetch" | "mergeBase" | "merged">;
  /** The branch that is followed, by its short name. */
  readonly base: string;
  /** Where the manifests are in it. */
  readonly path: string | null;
  /** As `planFor`, of a fleet that may be anybody's. */
  readonly plan: (fleet: Fleet, signal: AbortSignal) => Promise<PlannedFleet>;
  /** What a gateway may do by itself with it, once it is merged. Left out: as it says itself. */
  readonly policyOf?: ((fleet: Fleet) => GatewayPolicy) | undefined;
  /** Default: as `loadFleetAt` does, from the repository. */
  readonly load?: (commit: string, shownAs: string, signal: AbortSignal) => Promise<Fleet>;
  readonly queue: Pick<StatusQueue, "put">;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Whether those of strangers are planned. */
  readonly forks: boolean;
  /** Open ones are asked for as often, though no hook told of any. */
  readonly pollMs?: number;
  /** At most as often is one planned again because the branch or the guests moved on. */
  readonly againMs?: number;
  /** One that takes longer is given up. */
  readonly planMs?: number;
}

const POLL_MS = 120_000;
const AGAIN_MS = 60_000;
const PLAN_MS = 120_000;
/** A repository with more open ones has them planned in turn: the rest when some are closed. */
const MOST_PULLS = 50;
/** Between two looks, whoever wants them. */
const LOOK_MS = 1_000;

interface Known {
  readonly head: string;
  readonly base: string;
  /** What the agents said then. */
  readonly world: string | null;
  readonly plannedAt: number;
  readonly shown: PlannedPull | null;
  /** Of what the comment says, but for when. */
  readonly substance: string | null;
}

export class PullRequests {
  /** Tells when the guests have moved on, and which nodes there are. */
  readonly watcher: LoopWatcher;
  readonly #options: PullRequestOptions;
  readonly #known = new Map<number, Known>();
  #nodes: readonly DesiredNode[] | null = null;
  #world: string | null = null;
  #wake: (() => void) | null = null;
  /** When to look next, by the clock that never jumps. */
  #nextAt = 0;

  constructor(options: PullRequestOptions) {
    this.#options = options;
    this.watcher = {
      told: () => {},
      asked: () => {},
      changed: () => {},
      seen: ({ plan, fleet }) => {
        this.#nodes = fleet.desired.nodes;
        if (this.#world === plan.base.observedDigest) return;
        const isFirst = this.#world === null;
        this.#world = plan.base.observedDigest;
        // Guests that flap are no reason to ask the forge again and again.
        this.#poke(isFirst ? 0 : (options.againMs ?? AGAIN_MS) / 4);
      },
    };
  }

  /** A hint only: what is open and where is asked of the forge. */
  hook(event: HookEvent): void {
    if (event.kind === "pull-request" || (event.kind === "push" && event.ref === `refs/heads/${this.#options.base}`))
      this.#poke(0);
  }

  /** Until the signal. Never rejects: what cannot be done is in the log, and tried again at the next look. */
  async run(): Promise<void> {
    const { signal, log, forge, pollMs = POLL_MS } = this.#options;
    let complaint: string | null = null;
    while (!signal.aborted) {
      const begun = performance.now();
      this.#nextAt = begun + pollMs;
      try {
        this.#poke(await this.#look());
        complaint = null;
      } catch (error) {
        if (signal.aborted) return;
        const text = error instanceof Error ? error.message : String(error);
        const hint = error instanceof OdoroboError ? error.hint : undefined;
        if (complaint !== text) log.warn({ forge: forge.name, hint }, `pull requests cannot be planned: ${text}`);
        complaint = text;
      }
      await this.#rest(begun + LOOK_MS);
    }
  }

  #poke(afterMs: number): void {
    this.#nextAt = Math.min(this.#nextAt, performance.now() + afterMs);
    this.#wake?.();
  }

  async #rest(notBefore: number): Promise<void> {
    const { signal } = this.#options;
    for (;;) {
      const rest = Math.max(notBefore, this.#nextAt) - performance.now();
      if (rest <= 0 || signal.aborted) return;
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await sleep(rest, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => {});
      this.#wake = null;
    }
  }

  /** Plans what is due; answers in how many milliseconds something else is. */
  async #look(): Promise<number> {
    const { forge, repository, base, signal, forks, againMs = AGAIN_MS } = this.#options;
    const nodes = this.#nodes;
    // Before anything is in force, nobody may be asked.
    if (nodes === null) return Number.POSITIVE_INFINITY;
    const open = (await forge.pullRequests(base, signal)).filter(({ isFork }) => forks || !isFork).slice(0, MOST_PULLS);
    const numbers = new Set(open.map(({ number }) => number));
    for (const number of this.#known.keys()) if (!numbers.has(number)) this.#known.delete(number);
    if (open.length === 0) return Number.POSITIVE_INFINITY;
    const commit = await repository.fetch(`refs/heads/${base}`, signal);
    let next = Number.POSITIVE_INFINITY;
    for (const pull of open) {
      signal.throwIfAborted();
      const known = this.#known.get(pull.number);
      const isMoved = known === undefined || !known.head.startsWith(pull.head.commit);
      const why = known === undefined ? null : this.#staleBecause(known, commit);
      if (!isMoved && why === null) continue;
      const due = isMoved ? 0 : (known?.plannedAt ?? 0) + againMs - performance.now();
      if (due > 0) {
        if (known !== undefined) await this.#markStale(pull.number, known, why);
        next = Math.min(next, due);
      } else await this.#planOrPass(pull, commit, nodes);
    }
    return next;
  }

  /** One that is locked, or whose head is gone, does not hold up the others: it is passed over until it moves. */
  async #planOrPass(pull: OpenPullRequest, base: string, nodes: readonly DesiredNode[]): Promise<void> {
    const { fleet, log, signal } = this.#options;
    const world = this.#world;
    try {
      await this.#planOne(pull, base, nodes);
    } catch (error) {
      signal.throwIfAborted();
      if (!isOdoroboError(error, "FORGE_REFUSED") && !isOdoroboError(error, "SOURCE_REF_NOT_FOUND")) throw error;
      log.warn(
        { fleet, pullRequest: pull.number, hint: error.hint },
        `a pull request is passed over: ${error.message}`,
      );
      const entry = { head: pull.head.commit, base, world, plannedAt: performance.now() };
      this.#known.set(pull.number, { ...entry, shown: null, substance: null });
    }
  }

  #staleBecause({ base, world }: Known, commit: string): string | null {
    const { base: branch } = this.#options;
    if (base !== commit) return `${branch} has moved on to ${commit.slice(0, 12)}`;
    return world === this.#world ? null : "guests or nodes have changed since";
  }

  async #markStale(number: number, known: Known, stale: string | null): Promise<void> {
    const { shown } = known;
    if (shown === null || shown.stale === stale) return;
    const pull = { ...shown, stale };
    await this.#comment(number, pull);
    this.#known.set(number, { ...known, shown: pull });
  }

  async #planOne(pull: OpenPullRequest, baseCommit: string, nodes: readonly DesiredNode[]): Promise<void> {
    const { fleet, base, log } = this.#options;
    const world = this.#world;
    const [head, planned] = await this.#result(pull, baseCommit, nodes);
    const entry = { base: baseCommit, world, plannedAt: performance.now() };
    if (planned === null) {
      this.#known.set(pull.number, { ...entry, head, shown: null, substance: null });
      return;
    }
    const before = this.#known.get(pull.number);
    const substance = digestOf({ ...planned, base: baseCommit, result: substanceOf(planned.result) });
    const shown: PlannedPull = { ...planned, fleet, base: { ref: base, commit: baseCommit }, stale: null };
    if (before?.substance !== substance || before.shown?.stale !== null) await this.#comment(pull.number, shown);
    this.#tell(head, saidOf(shown));
    this.#known.set(pull.number, { ...entry, head, shown, substance });
    log.info({ fleet, pullRequest: pull.number, head, base: baseCommit }, "a pull request was planned");
  }

  /** Null: its commits cannot be had, which is no fault of what they say. */
  async #result(
    { number, head: place }: OpenPullRequest,
    base: string,
    nodes: readonly DesiredNode[],
  ): Promise<[head: string, Omit<PlannedPull, "fleet" | "base" | "stale"> | null]> {
    const { repository, signal, log, fleet, plan, planMs = PLAN_MS, policyOf = ownPolicy } = this.#options;
    const load = this.#options.load ?? this.#load;
    if (place.ref === null) {
      log.warn({ fleet, pullRequest: number }, "the head of a pull request cannot be fetched from here");
      return [place.commit, null];
    }
    const within = AbortSignal.any([signal, AbortSignal.timeout(planMs)]);
    const head = await repository.fetch(place.ref, within);
    this.#tell(head, { state: "pending", line: "is being planned" });
    const mergeBase = await repository.mergeBase(base, head, within);
    const merged = mergeBase === null ? null : await repository.merged(base, head, within);
    if (merged === null) return [head, { head, mergeBase, unasked: [], result: { conflict: true } }];
    let unasked: readonly string[] = [];
    try {
      const read = askOnlyKnown(await load(merged, `pull request ${number} (${head.slice(0, 12)})`, within), nodes);
      unasked = read.unasked;
      await using planned = await plan(read.fleet, within);
      const verdict = verdictOf(planned.plan, policyOf(read.fleet));
      return [head, { head, mergeBase, unasked, result: { plan: planned.plan, verdict } }];
    } catch (error) {
      signal.throwIfAborted();
      return [head, { head, mergeBase, unasked, result: { error: toError(error) } }];
    }
  }

  readonly #load = (commit: string, shownAs: string, signal: AbortSignal): Promise<Fleet> =>
    loadFleetAt(this.#options.repository as Repository, commit, this.#options.path, signal, shownAs);

  async #comment(number: number, pull: PlannedPull): Promise<void> {
    const { forge, signal } = this.#options;
    await forge.putComment(number, markerOf(pull.fleet, forge.limits), renderPullComment(pull, forge.limits), signal);
  }

  #tell(commit: string, said: Said): void {
    const { fleet, queue } = this.#options;
    queue.put({ ...said, commit, context: `odorobo/${fleet}/plan`, link: null });
  }
}

const ownPolicy = ({ desired }: Fleet): GatewayPolicy => desired.fleet.policy.gateway ?? DEFAULT_GATEWAY_POLICY;

/** A plan is another one at another moment, though it says the same. */
function substanceOf(result: PlannedPull["result"]): unknown {
  if ("error" in result) return result.error.message;
  if ("conflict" in result) return result;
  const { id: _, base, ...rest } = result.plan;
  return { ...rest, verdict: result.verdict, base: { ...base, observedAt: "" as Instant, observedDigest: "" } };
}

function saidOf({ result, unasked, base }: PlannedPull): Said {
  if ("conflict" in result) return { state: "failure", line: `conflicts with ${base.ref}` };
  if ("error" in result) {
    const { code } = result.error;
    const isOurs = code.startsWith("AGENT_") || code === "INTERNAL";
    return { state: isOurs ? "error" : "failure", line: `no plan: ${firstLine(result.error)}` };
  }
  const { plan, verdict } = result;
  const [refusal] = plan.refusals;
  if (refusal !== undefined) return { state: "failure", line: `would be refused: ${refusal.message}` };
  if (verdict.forbidden.length > 0)
    return {
      state: "failure",
      line: `would be refused: policy.gateway lets nobody do ${verdict.forbidden.join(", ")}`,
    };
  const asks = verdict.asks.length === 0 ? "" : `; ${verdict.asks.length} would wait for approval`;
  const line = `${plan.changes.length === 0 ? describeNothing(plan) : summarize(plan)}${asks}`;
  return { state: blockedOf(plan), line: unasked.length === 0 ? line : `${line}; ${unasked.length} not asked` };
}

const blockedOf = (plan: Plan): Said["state"] => (plan.blocked.length > 0 ? "failure" : "success");

function toError(error: unknown): OdoroboError {
  if (isOdoroboError(error)) return error;
  const isLate = error instanceof Error && error.name === "TimeoutError";
  const message = isLate ? "it took too long to be planned" : "it could not be planned: see the gateway's log";
  return new OdoroboError("INTERNAL", message, { cause: error });
}
