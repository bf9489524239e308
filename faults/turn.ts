/** One turn of an operator: plan and apply, in this process by the functions of the command line, or as the command itself. */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { ApplyReport } from "../src/apply/apply-report.ts";
import { isOdoroboError } from "../src/model/errors.ts";
import type { Plan } from "../src/plan/plan-document.ts";
import { type Clock, systemClock } from "../src/platform/clock.ts";
import { type PlanRequest, planDestruction, planFleet } from "../src/turn/plan-fleet.ts";
import { applyPlan } from "../src/turn/runs/apply-plan.ts";
import { buildCommand } from "../test/support/build-command.ts";
import type { World } from "./world.ts";

/** No command hangs, whatever its agents do. */
const COMMAND_MS = 120_000;

export interface Turn {
  readonly plan: Plan;
  /** Null: there was nothing that could be carried out. */
  readonly report: ApplyReport | null;
}

export interface TurnOptions {
  readonly clock?: Clock;
  /** How long one agent may take to answer. */
  readonly answerMs?: number;
  /** Ctrl-C, once and twice. */
  readonly signal?: AbortSignal;
  readonly hardSignal?: AbortSignal;
  readonly destroys?: boolean;
  readonly onPlan?: (plan: Plan) => void;
}

const NEVER = new AbortController().signal;

/** Rejects with what the command would print: MANIFEST_INVALID, SOURCE_EMPTY and their like. */
export async function takeTurn(world: World, options: TurnOptions = {}): Promise<Turn> {
  const { clock = systemClock, answerMs = 2_000, signal = NEVER, hardSignal = NEVER, destroys = false } = options;
  const request: PlanRequest = {
    location: { kind: "folder", path: world.manifests.folder },
    access: { answerMs },
    selection: null,
    allowances: { maxClass: "destroy", allowDestroy: 1000 },
    clock,
  };
  await using planned = await (destroys ? planDestruction : planFleet)(request, NEVER);
  const { plan, fleet, observed, agents } = planned;
  options.onPlan?.(plan);
  if (!plan.applyable) return { plan, report: null };
  const { desired } = fleet;
  const report = await applyPlan({
    ...{ plan, desired, observed, agents, clock, parallelism: null, signal, hardSignal },
    onEvent: () => {},
  });
  return { plan, report };
}

/** What people and their machines know how to deal with: everything else is a fault of ours. */
export const isExpected = (error: unknown): boolean => isOdoroboError(error) && error.code !== "INTERNAL";

export interface CommandEnd {
  readonly code: number | null;
  readonly text: string;
}

/** `odorobo apply` as a process, which gets the signal so many milliseconds after its start; null: none. */
export async function runCommand(
  world: World,
  signal: { readonly name: NodeJS.Signals; readonly afterMs: number } | null,
): Promise<CommandEnd> {
  const flags = ["--yes", "--max-class=destroy", "--allow-destroy=1000", "--timeout=2s"];
  const child = spawn(process.execPath, [await buildCommand(), "apply", world.manifests.folder, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: world.env,
    cwd: world.scratch,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const over = new AbortController();
  if (signal !== null)
    sleep(signal.afterMs, undefined, { signal: over.signal }).then(
      () => child.kill(signal.name),
      () => {},
    );
  const deadline = setTimeout(() => {
    world.violate(`odorobo apply does not end within ${COMMAND_MS / 1000} s`);
    child.kill("SIGKILL");
  }, COMMAND_MS);
  const code = await ended;
  over.abort();
  clearTimeout(deadline);
  return { code, text };
}
