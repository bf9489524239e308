/** The apply of a round, and how it is cut short or misled. */
import { setTimeout as sleep } from "node:timers/promises";
import { instant } from "../../src/model/names.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import type { Chance } from "../chance.ts";
import { checkApply, checkPlan, checkText, type Homes } from "../check.ts";
import type { Round } from "../list-faults.ts";
import { isExpected, runCommand, type TurnOptions, takeTurn } from "../turn.ts";
import type { World } from "../world.ts";

/** A command needs half a second until it begins to act. */
const COMMAND_MS = [100, 400, 600, 800, 1_200];
const TURN_MS = [5, 20, 60, 150, 400];
const HOUR_MS = 3_600_000;
const OFF_BY_MS = [HOUR_MS, 25 * HOUR_MS, 24 * 365 * HOUR_MS, 24 * 365 * 10 * HOUR_MS];

/** `steady`: whom nothing was done to so far; who is disturbed is taken out of it. Returns what was done, as a sentence. */
export async function applyIn(
  world: World,
  kind: Round["apply"]["kind"],
  chance: Chance,
  homes: Homes,
  steady: ReadonlySet<string>,
): Promise<string> {
  const onPlan: TurnOptions["onPlan"] = (plan) => checkPlan(world, plan, homes);
  const turn = (options: TurnOptions) => oneTurn(world, { ...options, onPlan }, steady);
  switch (kind) {
    case "apply-interrupted":
    case "apply-interrupted-twice": {
      const after = chance.pick(TURN_MS) as number;
      const [first, second] = [new AbortController(), new AbortController()];
      const interrupts = sleep(after).then(async () => {
        first.abort();
        if (kind === "apply-interrupted") return;
        await sleep(chance.below(100));
        second.abort();
      });
      const said = await turn({ signal: first.signal, hardSignal: second.signal });
      await interrupts;
      return `after ${after} ms: ${said}`;
    }
    case "command-killed":
    case "command-interrupted": {
      const afterMs = chance.pick(COMMAND_MS) as number;
      const { code, text } = await runCommand(world, {
        name: kind === "command-killed" ? "SIGKILL" : "SIGINT",
        afterMs,
      });
      checkText(world, text);
      return `after ${afterMs} ms: ${code === null ? "no exit code" : `exit ${code}`}`;
    }
    case "clock-ahead":
    case "clock-behind": {
      const offset = (chance.pick(OFF_BY_MS) as number) * (kind === "clock-ahead" ? 1 : -1);
      return `${offset / HOUR_MS} h: ${await turn({ clock: clockOff(offset) })}`;
    }
    default:
      return turn({});
  }
}

async function oneTurn(world: World, options: TurnOptions, steady: ReadonlySet<string>): Promise<string> {
  try {
    const { plan, report } = await takeTurn(world, options);
    if (report === null) return `${plan.steps.length} steps, not applyable: ${JSON.stringify(plan.refusals)}`;
    checkApply(world, report, steady);
    const { done, failed, skipped } = report.counts;
    return `${report.outcome}: ${done} done, ${failed} failed, ${skipped} skipped`;
  } catch (error) {
    const text = error instanceof Error ? `${error.name} ${error.message.slice(0, 300)}` : String(error);
    if (!isExpected(error)) world.violate(`a turn ended with ${text}\n${error instanceof Error ? error.stack : ""}`);
    return text;
  }
}

const clockOff = (offsetMs: number): Clock => ({
  ...systemClock,
  now: () => instant(new Date(Date.now() + offsetMs).toISOString()),
});
