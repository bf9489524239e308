/** How an apply ended, for people: the same of one that was carried out here and of one that was taken up or looked at. */
import type { ApplyReport } from "../../../apply/apply-report.ts";
import type { Plan } from "../../../plan/plan-document.ts";
import { renderApplyReport } from "../../../report/apply-text.ts";
import { renderNext } from "../../../report/runs-text.ts";
import { showNames } from "../../../report/words/names.ts";
import type { KnownRun } from "../../../run/run-store.ts";
import { statusOf } from "../../../run/state.ts";
import { placeOfState } from "../next-command.ts";
import type { Screen } from "../screen/terminal.ts";

/** `run` null: it is kept nowhere. `state`: the flag, repeated in hints. */
export function tellEnd(
  screen: Screen,
  plan: Plan,
  report: ApplyReport,
  run: KnownRun | null,
  state: string | undefined,
): void {
  if (plan.steps.length === 0) return;
  screen.print(`\n${renderApplyReport(report, { colour: screen.colour })}`);
  noteRest(screen, plan);
  if (run === null) return;
  const { id, state: known, isExecuted } = run;
  for (const line of renderNext(
    { id, status: statusOf(known, isExecuted), by: known.by },
    { place: placeOfState(state) },
  ))
    screen.print(line);
}

/** Why an apply that failed at nothing does not exit with 0: the plan that said it may be pages above. */
function noteRest(screen: Screen, { blocked, unknown }: Plan): void {
  if (blocked.length > 0)
    screen.print(`Left out, as the plan says: ${showNames(blocked.map(({ name }) => name))} (blocked).`);
  if (unknown.length > 0) screen.print("Left alone, as the plan says: what could not be seen.");
}
