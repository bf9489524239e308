/** Why a step failed, as the report says it: an agent knows what it found, the plan knows what was expected. */
import { type ErrorBody, isOdoroboError, OdoroboError, toErrorBody } from "../model/errors.ts";
import type { Step } from "../schedule/step.ts";
import type { Expectation } from "../wire/operations.ts";

/** Of a step that was begun, and that nobody waited for. */
export const notWaitedFor = (step: Step): ErrorBody => ({
  code: "OPERATION_INTERRUPTED",
  message: `not waited for: ${step.node} may still be at it, and finishes what it has begun`,
  hint: "make a new plan: it shows what came of it",
});

/** Of a step that was not begun, because it could not be written down that it was. */
export const notBegun = (step: Step): ErrorBody => ({
  code: "OPERATION_INTERRUPTED",
  message: `not begun: ${step.node} was asked nothing, because it could not be written down`,
  hint: "the run is carried on when it can",
});

export function explainFailure(step: Step, expect: Expectation | null, error: unknown): ErrorBody {
  if (!isOdoroboError(error)) {
    const text = error instanceof Error ? error.message : String(error);
    return {
      code: "INTERNAL",
      message: `odorobo itself failed at this step: ${text}`,
      hint: "please report this as a bug",
    };
  }
  if (error.code === "STALE_GENERATION" || error.code === "STALE_SERIAL")
    return toErrorBody(explainStale(step, expect, error));
  return toErrorBody(error);
}

/** The one place where an inner message is quoted: only the agent's words say what the VM is now, and a report has no causes. */
function explainStale(step: Step, expect: Expectation | null, error: OdoroboError): OdoroboError {
  const found = `${step.node} says: ${error.message}`;
  return new OdoroboError(error.code, `${step.vm} is not as ${describeExpectation(step, expect)}; ${found}`, {
    cause: error,
    conflict: error.conflict,
    hint: `someone else changed ${step.vm} meanwhile, and nothing was done to it by this step; make a new plan`,
  });
}

function describeExpectation(step: Step, expect: Expectation | null): string {
  if (expect === null) return "the plan saw it (no such VM)";
  const numbers = `generation ${expect.generation}, serial ${expect.serial}`;
  return step.expect === null ? `the step before left it (${numbers})` : `the plan saw it (${numbers})`;
}
