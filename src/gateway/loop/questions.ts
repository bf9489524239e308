/**
 * What one loop asks: plans that wait for an answer, each as a run that anybody may answer by its id. Also those that an earlier loop
 * asked about.
 *
 *   loop.ts → live-world.ts → [questions.ts] → loop-claims.ts
 */
import { OdoroboError } from "../../model/errors.ts";
import { decide, type RunOrder } from "../../run/decide.ts";
import type { RunClaim } from "../../run/run-store.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import { toAppend } from "../../turn/runs/command-run.ts";
import { lookAgain } from "../../turn/saved-plan.ts";
import type { LoopClaims, LoopRunsOptions } from "./loop-claims.ts";
import type { Answers, Asked, AskOrder, Withdrawal } from "./parts.ts";

export class Questions {
  readonly #options: LoopRunsOptions;
  readonly #claims: LoopClaims;
  readonly #asking = new Map<string, Promise<unknown>>();

  constructor(options: LoopRunsOptions, claims: LoopClaims) {
    this.#options = options;
    this.#claims = claims;
  }

  ask(order: AskOrder, answers: Answers): Promise<Asked> {
    const asking =
      order.planned === null ? this.#askAgain(order, answers) : this.#askFirst(order, order.planned, answers);
    this.#asking.set(order.run, asking);
    return asking.finally(() => this.#asking.delete(order.run));
  }

  async #askFirst({ run, revision }: AskOrder, planned: PlannedFleet, answers: Answers): Promise<Asked> {
    const claim = await this.#claims.create(planned, { run, asks: { revision }, approvedBy: null });
    this.#listen(claim, answers);
    return { kind: "waits", planned };
  }

  /** One that a loop asked about that is no more. */
  async #askAgain({ run, fleet }: AskOrder, answers: Answers): Promise<Asked> {
    const found = await this.#claims.claimed(run);
    if (found === null) return { kind: "gone" };
    const { state, claim } = found;
    if (state.outcome === "replaced") return { kind: "gone" };
    if (state.outcome === "refused" || state.outcome === "aborted" || state.wish === "abort")
      return { kind: "refused", by: state.by, reason: state.reason ?? undefined };
    if (claim !== null) this.#listen(claim, answers);
    // Whatever became of it: it was approved, and its end is heard when it is to be applied.
    if (state.wish !== "ask" || claim === null) return { kind: "approved", by: state.approvedBy ?? state.by };
    const { access, clock, location, signal } = this.#options;
    const { plan } = claim;
    const path = `the run ${run}`;
    const planned = await fleet()
      .then((each) => lookAgain(plan, { path, access, clock, location, fleet: each }, signal, () => {}))
      .catch(() => null);
    return { kind: "waits", planned };
  }

  #listen(claim: RunClaim, answers: Answers): void {
    const { clock } = this.#options;
    const obey = (order: RunOrder) => {
      const events = toAppend(decide(claim.state(), { ...order, at: clock.now() }, "self"));
      if (events.length === 0) return;
      const isApproval = order.kind === "approve";
      const why = answers.whyVoid();
      if (why !== null)
        throw new OdoroboError("RUN_NOT_WAITING", `the run ${claim.id} does not wait for an answer: ${why}`, {
          hint: "nothing of it is done; odorobo runs list shows what waits now",
        });
      for (const event of events) claim.append(event);
      answers.answered(isApproval ? "approve" : "decline", order.by, order.reason);
    };
    this.#claims.hold({ claim, obey });
    claim.onCommand(obey);
  }

  /** As if it came from elsewhere; false: it is kept nowhere, and only the loop knows of it. Throws what there is against it. */
  order(run: string, order: RunOrder): boolean {
    const known = this.#claims.held(run);
    known?.obey(order);
    return known !== undefined;
  }

  /** Nobody is just being asked by that run. */
  async settled(run: string): Promise<void> {
    await this.#asking.get(run)?.catch(() => {});
  }

  async withdraw({ run, outcome, by, reason }: Withdrawal): Promise<void> {
    await this.settled(run);
    const claim = this.#claims.held(run)?.claim ?? (await this.#claims.claimed(run))?.claim ?? null;
    if (claim !== null) await this.#claims.end(claim, outcome, reason, by);
  }
}
