/** `runs pause` and `runs abort`: its executor is told, or, when it has none, the journal. */
import { OdoroboError } from "../../../model/errors.ts";
import { systemClock } from "../../../platform/clock.ts";
import { whoami } from "../../../platform/whoami.ts";
import { type RunDocument, toRunDocument } from "../../../report/run-document.ts";
import { renderRun } from "../../../report/runs-text.ts";
import { decide } from "../../../run/decide.ts";
import type { RunStore } from "../../../run/run-store.ts";
import type { Screen } from "../screen/terminal.ts";

/** Rejects with RUN_OVER. */
export async function stopRun(
  screen: Screen,
  store: RunStore,
  id: string,
  kind: "pause" | "abort",
): Promise<RunDocument> {
  const command = { kind, by: whoami() };
  // Nobody at it, and yet not to be had: it is just being taken up, or let go.
  while (!(await stopOnce(store, id, command)));
  const run = toRunDocument(await store.find(id), await store.plan(id));
  screen.print(renderRun(run, { colour: screen.colour }));
  return run;
}

async function stopOnce(
  store: RunStore,
  id: string,
  command: { kind: "pause" | "abort"; by: string },
): Promise<boolean> {
  const run = await store.find(id);
  const decision = decide(run.state, { ...command, at: systemClock.now() }, run.isExecuted ? "other" : "nobody");
  if (decision.next === "refuse") throw new OdoroboError(decision.code, decision.message, { hint: decision.hint });
  if (decision.next === "tell") return await store.tell(id, command);
  if (decision.next === "stop" && decision.append.length === 0) return true;
  await using claim = await store.claim(id);
  if (claim === null) return false;
  const again = decide(claim.state(), { ...command, at: systemClock.now() }, "nobody");
  if (again.next === "refuse") throw new OdoroboError(again.code, again.message, { hint: again.hint });
  if (again.next === "stop") for (const event of again.append) claim.append(event);
  return true;
}
