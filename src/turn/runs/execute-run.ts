/**
 * Executes a run: apply-plan.ts with a journal. Whoever was first and whoever takes it up later go the same way, so that the run looks
 * the same whoever it was.
 *
 *   run/decide.ts → [execute-run.ts] → apply-plan.ts → apply/
 *                          └──► run/journal.ts, in whatever store the claim is of
 */
import type { ApplyReport } from "../../apply/apply-report.ts";
import { type ErrorBody, isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { VmName } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import { decide, endOf, type RunOrder } from "../../run/decide.ts";
import { endedSteps, reportOf, stepsInFlight, toEvent } from "../../run/resume.ts";
import type { RunClaim } from "../../run/run-store.ts";
import { type ApplyRequest, applyPlan } from "./apply-plan.ts";

export interface ExecuteRequest extends Omit<ApplyRequest, "plan" | "parallelism" | "run"> {
  readonly claim: RunClaim;
  /** VMs that are not as the run left them: their steps fail. */
  readonly refused?: ReadonlyMap<VmName, ErrorBody>;
}

/** Who asks by Ctrl-C. */
export const CTRL_C = "Ctrl-C";

/**
 * Resolves with the report of the whole run, what earlier executors did included, when all of it has ended or was stopped: by a
 * signal (then it is paused), or by what somebody else asked of it. Rejects with FILE_UNWRITABLE when the journal cannot be kept,
 * or as `settled` does when it is another's to carry on.
 */
export async function executeRun(request: ExecuteRequest): Promise<ApplyReport> {
  const { claim, clock, signal } = request;
  const { plan } = claim;
  if (claim.state().wish === "ask") throw new Error(`nobody has approved ${claim.id}`);
  const stop = new AbortController();
  const obey = (command: RunOrder) => {
    const decision = decide(claim.state(), { ...command, at: clock.now() }, "self");
    if (decision.next === "refuse") throw new OdoroboError(decision.code, decision.message, { hint: decision.hint });
    if (decision.next !== "stop") return;
    for (const event of decision.append) claim.append(event);
    stop.abort();
  };
  claim.onCommand(obey);
  const pause = () => {
    try {
      if (claim.state().wish === "run") obey({ kind: "pause", by: CTRL_C });
    } catch {
      // It cannot be written down: the run is stranded then instead of paused, and nothing of it begins all the same.
    }
    stop.abort();
  };
  signal.addEventListener("abort", pause, { once: true });
  if (signal.aborted) pause();
  try {
    await applyPlan({
      ...request,
      plan,
      parallelism: null,
      signal: stop.signal,
      run: {
        run: claim.id,
        limits: claim.state().begun.limits,
        before: endedSteps(plan, claim.state()),
        begun: stepsInFlight(claim.state()),
        journal: {
          started: (step) => claim.append({ event: "step-started", at: clock.now(), step: step.id }),
          settled: () => claim.settled(),
          ended: (_step, ended) => claim.append(toEvent(ended, clock.now())),
        },
        ...(request.refused === undefined ? {} : { refused: request.refused }),
      },
    });
  } catch (error) {
    // Where there was no room, there may be again: whoever carries it on has its approval.
    if (claim.state().steps.size === 0 && !isOdoroboError(error, "FILE_UNWRITABLE")) giveUp(claim, clock, error);
    throw error;
  } finally {
    signal.removeEventListener("abort", pause);
  }
  const end = endOf(claim.state(), clock.now());
  if (end !== null) claim.append(end);
  await claim.settled();
  return reportOf(plan, claim.state());
}

/** Nothing was begun, and the reason is told: there is nothing to carry on. */
function giveUp(claim: RunClaim, clock: Clock, error: unknown): void {
  const by = isOdoroboError(error) ? error.code : "an error";
  try {
    for (const event of ["aborted", "ended"] as const) {
      const at = clock.now();
      claim.append(event === "aborted" ? { event, at, by } : { event, at, outcome: "aborted" });
    }
  } catch {
    // The first error is the one that says why.
  }
}
