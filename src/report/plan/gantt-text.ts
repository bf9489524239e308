/** When everything moves, as a chart for the terminal: a line for each VM, time from left to right. */
import { type Bar, type Row, rowsByVm } from "../../schedule/gantt.ts";
import { fitColumns } from "../words/fit-columns.ts";
import { plural } from "../words/names.ts";
import { safeLine } from "../words/safe-text.ts";
import { GANTT_KINDS } from "./gantt-kinds.ts";
import { showClock } from "./show-clock.ts";

export interface GanttTextOptions {
  /** Columns of the terminal. */
  readonly width?: number;
  /** Rows that are drawn; the others are counted. */
  readonly mostRows?: number;
}

/** No narrower, or it is no chart any more. */
const LEAST_CHART = 20;

/** Nothing: nothing takes time. */
export function renderGanttText(bars: readonly Bar[], { width = 80, mostRows = 30 }: GanttTextOptions = {}): string[] {
  const end = bars.reduce((latest, { endS }) => Math.max(latest, endS), 0);
  if (end === 0) return [];
  const all = rowsByVm(bars);
  const rows = all.slice(0, mostRows);
  const times = rows.map(({ bars: mine }) => {
    const [first, last] = [mine[0], mine.at(-1)];
    const [begins, ends] = [showClock(first?.startS ?? 0), showClock(last?.endS ?? 0)];
    return begins === ends ? begins : `${begins}-${ends}`;
  });
  const widest = Math.max(...times.map(({ length }) => length));
  const labels = fitColumns(
    [
      { title: "", cells: rows.map(({ name }) => safeLine(name)), kind: "name" },
      { title: "", cells: rows.map((row) => routeOf(row)), kind: "text" },
    ],
    Math.max(0, width - LEAST_CHART - widest - 7),
  );
  const widths = labels.map(({ cells }) => Math.max(...cells.map(({ length }) => length)));
  const indent = 2 + widths.reduce((sum, each) => sum + each + 1, 0);
  const chart = Math.max(LEAST_CHART, width - indent - widest - 3);
  const axis = `${" ".repeat(indent)} 0:00${showClock(end).padStart(chart - 4)}`;
  const lines = rows.map((row, index) => {
    const label = labels.map(({ cells }, column) => (cells[index] ?? "").padEnd(widths[column] ?? 0)).join(" ");
    return `  ${label} |${drawBars(row, end, chart)}| ${times[index]?.padStart(widest)}`.trimEnd();
  });
  const left = all.length - rows.length;
  return [axis, ...lines, ...(left > 0 ? [`  … and ${plural(left, "more VM")}`] : []), ...legendOf(bars, width)];
}

/** `n1 → n3 → n2`. */
function routeOf({ bars }: Row): string {
  const stops = bars.flatMap(({ from, to }) => (from === null ? ["new", to] : [from, to]));
  return stops
    .filter((stop, index) => stop !== stops[index - 1])
    .map(safeLine)
    .join(" → ");
}

/** Whatever is done has at least one column; where two share one, the later is seen. */
function drawBars({ bars }: Row, end: number, width: number): string {
  const columns = new Array<string>(width).fill(" ");
  for (const { startS, endS, kind } of bars) {
    const first = Math.min(width - 1, Math.floor((startS / end) * width));
    const last = Math.max(first, Math.min(width - 1, Math.ceil((endS / end) * width) - 1));
    columns.fill(GANTT_KINDS[kind].sign, first, last + 1);
  }
  return columns.join("");
}

function legendOf(bars: readonly Bar[], width: number): string[] {
  const kinds = new Set(bars.map(({ kind }) => kind));
  const lines: string[] = [];
  for (const [kind, { sign, text }] of Object.entries(GANTT_KINDS)) {
    if (!kinds.has(kind as Bar["kind"])) continue;
    const last = lines.at(-1);
    const longer = `${last}   ${sign} ${text}`;
    if (last === undefined || longer.length > width) lines.push(`  ${sign} ${text}`);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
