/** The world as it is: plans by `turn/`, applies as runs that everybody on this machine can see, and the agents' own events. */
import { randomBytes } from "node:crypto";
import type { VmName } from "../../model/names.ts";
import type { ObservedState } from "../../model/observed-state.ts";
import { whoami } from "../../platform/whoami.ts";
import type { RunOrder } from "../../run/decide.ts";
import { HeldFleet } from "../../turn/held/held-fleet.ts";
import { type PlannedFleet, unlessEmptying } from "../../turn/plan-fleet.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import { newRunId } from "../../turn/runs/begun-run.ts";
import type { OrderTerm } from "../../wire/order-term.ts";
import type { Holder } from "../revision/loop-state.ts";
import { abandonRuns } from "./abandon-runs.ts";
import { FleetLease } from "./fleet-lease.ts";
import { AgentFollower } from "./follow-agents.ts";
import { LoopClaims, type LoopRunsOptions } from "./loop-claims.ts";
import { LoopRuns } from "./loop-runs.ts";
import {
  type Answers,
  type ApplyEnd,
  type ApplyOrder,
  type Asked,
  type AskOrder,
  HeldElsewhere,
  type RunListener,
  type Withdrawal,
  type World,
} from "./parts.ts";
import { Questions } from "./questions.ts";

export interface LiveWorldOptions extends LoopRunsOptions {
  /** How often the fleet is looked at though nobody said anything. */
  readonly intervalMs: number;
  /** Told that something may be another at an agent. Must not throw. */
  readonly onNews?: (() => void) | undefined;
  /** How long a loop elsewhere that is gone keeps this one out; left out: 30. */
  readonly leaseSeconds?: number | undefined;
  /** In which agents are ordered; null, or left out: in none. */
  readonly term?: Omit<OrderTerm, "fleet"> | null;
}

export class LiveWorld implements World {
  readonly #options: LiveWorldOptions;
  readonly #claims: LoopClaims;
  readonly #questions: Questions;
  readonly #runs: LoopRuns;
  readonly #lease: FleetLease;
  readonly #changes: string[] = [];
  #wake: (() => void) | null = null;
  readonly #held: HeldFleet;
  #follower: AgentFollower | null = null;
  #nodes: Fleet["desired"]["nodes"] = [];
  /** Its name in its manifests, once they were read. */
  #fleet: string | null = null;

  constructor(given: LiveWorldOptions) {
    const { term = null } = given;
    const inTerm = () => (term === null || this.#fleet === null ? null : { ...term, fleet: this.#fleet });
    const options = { ...given, access: { ...given.access, term: inTerm } };
    this.#options = options;
    this.#held = new HeldFleet(options.access, options.clock);
    this.#claims = new LoopClaims(options);
    this.#questions = new Questions(options, this.#claims);
    this.#runs = new LoopRuns(options, this.#claims);
    const by = `odorobo ${options.who} of ${whoami()}`;
    this.#lease = new FleetLease({ ...options, by, seconds: options.leaseSeconds });
  }

  async know({ desired }: Fleet): Promise<void> {
    this.#nodes = desired.nodes;
    this.#fleet = desired.fleet.name;
    this.#follower?.follow(desired.nodes);
  }

  async *changes(signal: AbortSignal): AsyncGenerator<string> {
    const note = (why: string) => {
      this.#changes.push(why);
      this.#options.onNews?.();
      this.#wake?.();
    };
    await using held = this.#held;
    await using follower = new AgentFollower(this.#options.access, held.news, note);
    this.#follower = follower;
    follower.follow(this.#nodes);
    using _ = every(this.#options.intervalMs, () => {
      held.news.doubtAll();
      note("it is time to look again");
    });
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    for (;;) {
      signal.throwIfAborted();
      const why = this.#changes.splice(0).at(-1);
      if (why !== undefined) yield why;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  async plan(fleet: Fleet, leaveOut: readonly VmName[], signal: AbortSignal): Promise<PlannedFleet> {
    this.#fleet = fleet.desired.fleet.name;
    const holder = await this.#lease.take(this.#fleet, fleet.desired.nodes);
    if (holder !== null) throw new HeldElsewhere(holder);
    const selection = leaveOut.length === 0 ? null : { targets: [], excludes: leaveOut };
    const allowances = { maxClass: null, allowDestroy: null };
    return await unlessEmptying(await this.#held.plan(fleet, { selection, allowances }, signal));
  }

  /** What is there now, for those who look on: nothing is decided by it. */
  async glance(): Promise<ObservedState> {
    return await this.#held.look(this.#nodes, this.#options.signal);
  }

  async begin({ remembered, holder }: Parameters<World["begin"]>[0]): Promise<void> {
    this.#lease.as(holder ?? randomBytes(16).toString("hex"));
    await abandonRuns(this.#options.runs, { ...this.#options, remembered });
  }

  newRun(): string {
    return newRunId(this.#options.clock.now());
  }

  ask(order: AskOrder, answers: Answers): Promise<Asked> {
    return this.#questions.ask(order, answers);
  }

  order(run: string, order: RunOrder): boolean {
    return this.#questions.order(run, order);
  }

  withdraw(withdrawal: Withdrawal): Promise<void> {
    return this.#questions.withdraw(withdrawal);
  }

  async apply(order: ApplyOrder, listener: RunListener): Promise<ApplyEnd> {
    await this.#questions.settled(order.run);
    const read = order.planned?.fleet ?? (await order.fleet().catch((error: unknown) => String(error)));
    this.#options.signal.throwIfAborted();
    // Manifests that say something else by now, or nothing: what is left of it is seen when they are read.
    if (typeof read === "string") return await this.#runs.giveUp(order.run, read);
    const { desired } = read;
    const fleet = desired.fleet.name;
    this.#fleet = fleet;
    const holder = await this.#lease.take(fleet, desired.nodes);
    if (holder !== null) return await this.#runs.leave(order, holder);
    const other = await this.#claims.other(fleet, order.run);
    if (other === null) {
      try {
        return await this.#runs.apply(order, listener);
      } finally {
        // Not all that an apply does to agents is told by their events.
        this.#held.news.doubtAll();
      }
    }
    const heldBy = { run: other.id, by: other.state.begun.by, since: other.state.begun.at };
    return { run: other.id, outcome: "held", undone: [], because: null, heldBy };
  }

  async released({ run }: Holder, signal: AbortSignal): Promise<void> {
    if (run !== null) await this.#claims.released(run, signal);
    else await this.#lease.free(signal);
    this.#held.news.doubtAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#claims[Symbol.asyncDispose]();
    await this.#lease[Symbol.asyncDispose]();
  }
}

function every(milliseconds: number, act: () => void): Disposable {
  const timer = setInterval(act, milliseconds);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
