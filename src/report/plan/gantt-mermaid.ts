/** When everything moves, as a Mermaid chart for markdown: a section for each node that something leaves, or is done on. */
import type { Bar } from "../../schedule/gantt.ts";
import { GANTT_KINDS } from "./gantt-kinds.ts";

/** Mermaid draws no more in reasonable time, and nobody reads more. */
const MOST_BARS = 100;

/** Without the fences. Nothing: there is nothing to draw. */
export function renderGanttMermaid(bars: readonly Bar[]): string[] {
  if (bars.length === 0) return [];
  const shown = bars.slice(0, MOST_BARS);
  const sections = Map.groupBy(shown, ({ from, to }) => from ?? to);
  const left = bars.length - shown.length;
  return [
    "gantt",
    ...(left > 0 ? [`  title the first ${shown.length} of ${bars.length}`] : []),
    "  dateFormat x",
    "  axisFormat %M:%S",
    ...[...sections].flatMap(([node, mine]) => [`  section ${plain(node)}`, ...mine.map(taskOf)]),
  ];
}

function taskOf({ vm, from, to, startS, endS, kind }: Bar): string {
  const [start, end] = [Math.round(startS * 1_000), Math.round(endS * 1_000)];
  const isLong = end > start;
  const mark = kind === "cold" || kind === "stop" ? "crit, " : kind === "park" || kind === "aside" ? "active, " : "";
  const what = kind === "live" || kind === "cold" || from === to || from === null ? "" : ` (${GANTT_KINDS[kind].text})`;
  const where = from === to || from === null ? ` ${GANTT_KINDS[kind].text}` : ` to ${to}`;
  return `    ${plain(`${vm}${where}${what}`)} :${mark}${isLong ? "" : "milestone, "}${start}, ${isLong ? end : start}`;
}

/** What means something to Mermaid is a space: names hold nothing of it, and what is not a name must not become syntax. */
const plain = (text: string): string => text.replace(/[^\p{L}\p{N} ().,_-]/gu, " ").trim();
