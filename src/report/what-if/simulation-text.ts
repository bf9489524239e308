/** `odorobo simulate`, for people: how long it took, who stood still, what was left undone, and whether a promise was broken. */
import { describeAmount } from "../../model/capacity.ts";
import { describeSeconds } from "../plan/times-text.ts";
import { plural } from "../words/names.ts";
import { type Paint, paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import type { InjectedFailure, Simulation } from "./simulation-document.ts";

/** Of each list. */
const MOST_LINES = 10;

export function renderSimulation(simulation: Simulation, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const { injected, undone, violations, headroom } = simulation;
  const tight = [...headroom].sort((a, b) => a.memoryMiB - b.memoryMiB || (a.node < b.node ? -1 : 1));
  return [
    [renderHead(simulation, paint), renderStandstill(simulation)],
    section("What was made to fail:", injected.map(renderInjected)),
    section(
      "Left undone:",
      undone.map(({ title, outcome, because }) => `  ${safeLine(title)}: ${outcome}, ${safeLine(because)}`),
    ),
    section(
      "Room left at the fullest moment:",
      tight.map((each) => `  ${safeLine(each.node)}: ${describeAmount(each)}`),
    ),
    [renderNext(simulation)],
    violations.length === 0
      ? [paint("green", "Every guest had one home at every moment, and no node held more than it has.")]
      : section(
          paint("red", `${plural(violations.length, "promise")} broken:`),
          violations.map((each) => `  ${safeLine(each)}`),
        ),
  ]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function section(title: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  const more = lines.length - MOST_LINES;
  return [title, ...lines.slice(0, MOST_LINES), ...(more > 0 ? [`  and ${more} more: --json has them all`] : [])];
}

function renderHead({ outcome, counts, makespanSeconds, seed, injected }: Simulation, paint: Paint): string {
  const total = counts.done + counts.failed + counts.skipped;
  const how = injected.length === 0 ? "nothing made to fail" : `${plural(injected.length, "failure")}, seed ${seed}`;
  return `${paint("bold", `Simulated: ${outcome}`)}, ${counts.done} of ${plural(total, "step")} in ${describeSeconds(makespanSeconds)} (${how})`;
}

function renderStandstill({ standstill }: Simulation): string {
  const [longest] = standstill;
  if (longest === undefined) return "No guest that ran stood still.";
  const off = standstill.filter(({ isOff }) => isOff).length;
  return `${plural(standstill.length, "guest")} stood still, ${safeLine(longest.vm)} the longest, for ${describeSeconds(longest.milliseconds / 1000)}${off === 0 ? "" : `; ${off} of them ${off === 1 ? "is" : "are"} off at the end`}.`;
}

function renderInjected(failure: InjectedFailure): string {
  const at = `  at ${describeSeconds(failure.atSeconds)}: `;
  switch (failure.kind) {
    case "agent-dies":
      return `${at}the agent of ${safeLine(failure.node)} dies${failure.forSeconds === null ? " for good" : ` for ${describeSeconds(failure.forSeconds)}`}`;
    case "link-cut":
      return `${at}the link between ${failure.to === null ? "here" : safeLine(failure.to)} and ${safeLine(failure.node)} is cut for ${describeSeconds(failure.forSeconds)}`;
    case "step-refused":
      return `  each time: ${safeLine(failure.title)} is refused`;
  }
}

function renderNext({ next: { steps, blocked, unknown } }: Simulation): string {
  const rest = [
    ...(blocked > 0 ? [`${blocked} blocked`] : []),
    ...(unknown > 0 ? [`${unknown} that cannot be seen`] : []),
  ];
  const left = steps === 0 ? "has nothing to do" : `has ${plural(steps, "step")}`;
  return `The next plan ${left}${rest.length === 0 ? "" : `; ${rest.join(", ")}`}.`;
}
