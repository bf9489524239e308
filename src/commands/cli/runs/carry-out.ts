/** The second half of `apply` and `destroy`: show the plan, ask, carry it out under the eyes of the person, report. */
import type { ApplyEvent, ApplyReport } from "../../../apply/apply-report.ts";
import { OdoroboError } from "../../../model/errors.ts";
import type { Plan } from "../../../plan/plan-document.ts";
import { renderPlan } from "../../../report/plan/plan-text.ts";
import { plural } from "../../../report/words/names.ts";
import type { PlannedFleet } from "../../../turn/plan-fleet.ts";
import { applyExitCode } from "../exit-code.ts";
import type { Interrupts } from "../interrupt.ts";
import { confirm, type Question } from "../screen/confirm.ts";
import { noteWarnings } from "../screen/note-warnings.ts";
import { openProgress } from "../screen/show-progress.ts";
import type { Screen } from "../screen/terminal.ts";
import { beginRun, type RunPlace } from "./begin-run.ts";
import { tellEnd } from "./tell-end.ts";

interface CarryOutOptions {
  readonly yes: boolean;
  readonly verbose: boolean;
  readonly parallelism: number | null;
  readonly interrupts: Interrupts;
  readonly place: RunPlace;
  /** `steps`: "4 steps". */
  readonly question: (steps: string) => Question;
}

/** Returns the report and sets the exit code. Rejects with PLAN_REFUSED or NOT_CONFIRMED before anything was done. */
export async function carryOut(screen: Screen, planned: PlannedFleet, options: CarryOutOptions): Promise<ApplyReport> {
  const { plan, fleet, agents } = planned;
  noteWarnings(screen, fleet);
  showPlan(screen, plan, options);
  refuse(plan);
  if (plan.steps.length > 0) {
    await confirm(options.question(plural(plan.steps.length, "step")), {
      yes: options.yes,
      signal: options.interrupts.first,
    });
  }
  const { executeRun } = await import("../../../turn/runs/execute-run.ts");
  const { toLimits } = await import("../../../turn/runs/apply-plan.ts");
  const limits = toLimits(fleet.desired.fleet.policy, options.parallelism);
  const begun = await beginRun(screen, plan, { place: options.place, limits, at: planned.clock.now() });
  await using claim = begun.claim;
  const { run, ...rest } = await watch(screen, (onEvent) =>
    executeRun({
      claim,
      desired: fleet.desired,
      observed: planned.observed,
      agents,
      clock: planned.clock,
      signal: options.interrupts.first,
      hardSignal: options.interrupts.second,
      onEvent,
    }),
  );
  const report = begun.isKept && run !== undefined ? { ...rest, run } : rest;
  tellEnd(
    screen,
    plan,
    report,
    begun.isKept ? { id: claim.id, state: claim.state(), isExecuted: false } : null,
    options.place.state,
  );
  process.exitCode = applyExitCode(plan, report);
  return report;
}

/** With a document to come, the plan is shown beside it, and only to somebody who is to confirm it. */
function showPlan(screen: Screen, plan: Plan, { yes, verbose }: CarryOutOptions): void {
  if (!screen.json) screen.print(renderPlan(plan, { colour: screen.colour, verbose, next: null }));
  else if (!yes && plan.steps.length > 0)
    screen.note(renderPlan(plan, { colour: screen.noteColour, verbose, next: null }));
}

/** The plan as shown names all refusals with their hints; the error names the first. */
function refuse(plan: Plan): void {
  const [first] = plan.refusals;
  if (first === undefined) return;
  const more = plan.refusals.length === 1 ? "" : ` (and ${plan.refusals.length - 1} more)`;
  const where = first.source === undefined ? "" : ` (${first.source.file}:${first.source.line})`;
  throw new OdoroboError("PLAN_REFUSED", `${first.message}${where}${more}`, { hint: first.hint });
}

/** The progress is gone from the terminal before the report is printed. */
async function watch(
  screen: Screen,
  run: (onEvent: (event: ApplyEvent) => void) => Promise<ApplyReport>,
): Promise<ApplyReport> {
  using progress = openProgress(process.stderr, { colour: screen.noteColour });
  return await run((event) => progress.show(event));
}
