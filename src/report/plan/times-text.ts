/** How long the moves of a plan take, as predicted: in a sentence, as a chart, and what room is left at the worst moment. */
import { describeAmount, describeMemory } from "../../model/capacity.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { Bar } from "../../schedule/gantt.ts";
import { plural } from "../words/names.ts";
import type { Paint } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { renderGanttText } from "./gantt-text.ts";

/** Nodes whose room is told: those that come nearest to full. */
const MOST_NODES = 5;

/** Empty where nothing moves. */
export function barsOf({ times, steps, changes }: Plan): Bar[] {
  if (times === undefined) return [];
  const byId = new Map(steps.map((step) => [step.id, step]));
  const changeOf = new Map(changes.map((change) => [change.name, change]));
  return times.moves.flatMap(({ step: id, startSeconds: startS, endSeconds: endS }): Bar[] => {
    const step = byId.get(id);
    if (step?.kind !== "migrateVm") return [];
    const change = changeOf.get(step.vm);
    const isLast = change?.node === step.node;
    const comesBack = change !== undefined && change.fromNode === null;
    const kind = step.mode === "cold" ? "cold" : comesBack ? "aside" : isLast ? "live" : "park";
    return [{ vm: step.vm, from: step.fromNode, to: step.node, startS, endS, kind }];
  });
}

/** Nothing where nothing moves. */
export function renderTimes(plan: Plan, paint: Paint): string[] {
  const { times } = plan;
  if (times === undefined) return [];
  return [paint("bold", summarizeTimes(plan)), ...describeBasis(plan), ...renderGanttText(barsOf(plan))];
}

/** `2 moves in about 4.2 s, each guest pauses for about 30 ms: 4 GiB to send; the busiest link is n1's, which sends for 4 s` */
export function summarizeTimes({ times }: Plan): string {
  if (times === undefined) return "";
  const { moves, makespanSeconds, busiestLink } = times;
  const sent = moves.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
  const still = Math.max(0, ...moves.map(({ downtimeMs }) => downtimeMs));
  const who = moves.length === 1 ? "its guest" : "each guest";
  const links =
    times.links === undefined
      ? "on links of 10 Gbit/s (assumed: no Node says what its link carries)"
      : "on the links that the Nodes name";
  const busiest =
    busiestLink === null || moves.length === 1
      ? ""
      : `; the busiest is ${safeLine(busiestLink.node)}'s, which ${busiestLink.direction === "up" ? "sends" : "takes in"} for ${describeSeconds(busiestLink.seconds)}`;
  return `${plural(moves.length, "move")} in about ${describeSeconds(makespanSeconds)}, ${who} pauses for about ${describeSeconds(still / 1000)}: ${describeMemory(sent)} to send ${links}${busiest}`;
}

/** Whether the figures are what was seen before, or worked out. */
export function describeBasis({ times }: Plan): string[] {
  const moves = times?.moves ?? [];
  const measured = moves.filter(({ basis }) => basis === "measured").length;
  const assumed = "assumed, from its memory and the link";
  if (measured === 0)
    return [
      `  how long a move takes is ${assumed}: none of these guests has moved before, and one that writes much takes longer`,
    ];
  const seen = "measured: the median of its guest's last moves";
  if (measured === moves.length) return [`  how long a move takes is ${seen}`];
  return [`  how long a move takes is ${seen}, for ${measured} of ${moves.length}; of the others it is ${assumed}`];
}

/** Of plans of before, which do not say how full nodes are. */
export function describeHeadroom({ times }: Plan): string[] {
  const nodes = [...(times?.headroom ?? [])].sort((a, b) => a.memoryMiB - b.memoryMiB || (a.node < b.node ? -1 : 1));
  if (nodes.length === 0) return [];
  const told = nodes.slice(0, MOST_NODES).map((each) => `${safeLine(each.node)} ${describeAmount(each)}`);
  const left = nodes.length - told.length;
  return [
    `  least room left on the way: ${told.join("; ")}${left > 0 ? `; ${plural(left, "more node")} with more` : ""}`,
  ];
}

/** `45 ms`, `4.2 s`, `12 min`, `3.5 h` */
export function describeSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 360) / 10} h`;
}
