/** The steps of a plan as a schedule: waves of what may run at the same time. */
import { describeAmount, describeMemory, sizeOf } from "../../model/capacity.ts";
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
  fetch: "fetch",
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
  const sent = new Map(plan.times?.moves.map(({ step, memoryMiB }) => [step, memoryMiB]));
  const lines = waves.flatMap((wave, index) => {
    const texts = inFull
      ? wave.map((step) => `${safeLine(describeStep(step))}${describeSize(step, plan, sent)}`)
      : countSteps(wave);
    return texts.map(
      (text, line) => `  ${paint("dim", (line === 0 ? `${index + 1}.` : "").padStart(width + 1))} ${text}`,
    );
  });
  return [title, ...lines];
}

/** What a step brings to its node. */
function describeSize({ id, kind, vm }: Step, { specs, changes }: Plan, sent: ReadonlyMap<string, number>): string {
  const memory = sent.get(id);
  if (kind === "migrateVm") return memory === undefined ? "" : ` (${describeMemory(memory)})`;
  const spec = specs[vm];
  if (spec === undefined) return "";
  if (kind === "createVm") return ` (${describeAmount(sizeOf(spec))})`;
  const resizes = (field: string | null): boolean => field !== null && /^(cpus|memory)\b/.test(field);
  const isResized =
    kind === "updateVm" && changes.some((each) => each.name === vm && each.reasons.some(({ field }) => resizes(field)));
  return isResized ? ` (to ${describeAmount(sizeOf(spec))})` : "";
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
      `${verbs[kind]} ${plural(steps.length, kind === "fetch" ? "image" : "VM")} on ${showCounts(
        steps.map((step) => step.node),
        8,
      )}`,
  );
}
