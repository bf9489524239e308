/** The steps of a plan as a schedule: waves of what may run at the same time. */
import type { Plan } from "../../plan/plan-document.ts";
import { describeStep, type Step, type StepKind } from "../../schedule/step.ts";
import { plural, showCounts } from "../words/names.ts";
import type { Paint } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";

/** Longer schedules are counted by wave: nobody reads a list of this length before the plan's summary. */
const MOST_STEPS_ONE_BY_ONE = 30;

const verbs: { readonly [K in StepKind]: string } = {
  createVm: "create",
  updateVm: "update",
  bootVm: "boot",
  shutdownVm: "shut down",
  rebootVm: "reboot",
  pauseVm: "pause",
  resumeVm: "resume",
  migrateVm: "migrate",
  deleteVm: "delete",
};

/** Steps by the length of the longest chain before them; within a wave in the plan's order. */
export function toWaves(steps: readonly Step[]): Step[][] {
  const depths = new Map<string, number>();
  const waves: Step[][] = [];
  for (const step of steps) {
    const depth = step.after.reduce((deepest, id) => Math.max(deepest, (depths.get(id) ?? -1) + 1), 0);
    depths.set(step.id, depth);
    waves[depth] ??= [];
    waves[depth].push(step);
  }
  return waves;
}

export function renderSchedule(plan: Plan, paint: Paint, verbose: boolean): string[] {
  const waves = toWaves(plan.steps);
  const inFull = verbose || plan.steps.length <= MOST_STEPS_ONE_BY_ONE;
  const inParallel =
    waves.length < plan.steps.length ? ", those of one number side by side where nodes and links allow" : "";
  const title = `${plural(plan.steps.length, "step")}${inParallel}${inFull ? "" : ` (${paint("bold", "--verbose")} lists them)`}:`;
  const width = String(waves.length).length;
  const lines = waves.flatMap((wave, index) => {
    const texts = inFull ? wave.map((step) => safeLine(describeStep(step))) : countSteps(wave);
    return texts.map(
      (text, line) => `  ${paint("dim", (line === 0 ? `${index + 1}.` : "").padStart(width + 1))} ${text}`,
    );
  });
  return [title, ...lines];
}

function countSteps(wave: readonly Step[]): string[] {
  const byKind = new Map<StepKind, Step[]>();
  for (const step of wave) {
    const known = byKind.get(step.kind);
    if (known) known.push(step);
    else byKind.set(step.kind, [step]);
  }
  return [...byKind].map(
    ([kind, steps]) =>
      `${verbs[kind]} ${plural(steps.length, "VM")} on ${showCounts(
        steps.map((step) => step.node),
        8,
      )}`,
  );
}
