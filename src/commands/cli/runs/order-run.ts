/** `runs pause`, `abort`, `approve` and `refuse`: the order is given, and the run shown as it stands then. */
import { systemClock } from "../../../platform/clock.ts";
import { whoami } from "../../../platform/whoami.ts";
import { type RunDocument, toRunDocument } from "../../../report/run-document.ts";
import { renderRun } from "../../../report/runs-text.ts";
import type { RunOrder } from "../../../run/decide.ts";
import type { RunStore } from "../../../run/run-store.ts";
import { commandRun } from "../../../turn/runs/command-run.ts";
import { placeOfState } from "../next-command.ts";
import type { Screen } from "../screen/terminal.ts";

/** `state`: the flag, repeated in hints. Rejects as `commandRun`. */
export async function orderRun(
  screen: Screen,
  store: RunStore,
  id: string,
  { kind, reason }: Pick<RunOrder, "kind" | "reason">,
  state: string | undefined,
): Promise<RunDocument> {
  const known = await commandRun(store, id, { kind, by: whoami(), reason }, systemClock);
  const plan = await store.plan(id);
  const run = toRunDocument(known, plan);
  screen.print(renderRun(run, plan, { colour: screen.colour, place: placeOfState(state) }));
  return run;
}
