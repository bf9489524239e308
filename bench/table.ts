/** Rows as a table for people. */
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { type Row, type Unit, verdictOf } from "./row.ts";

const HEAD = ["scenario", "median", "fastest", "slowest", "CPU", "peak RSS", "target", "", "what it did"];

export function renderTable(rows: readonly Row[]): string {
  return aligned([HEAD, ...rows.map(cells)])
    .map((line) => line.join("  ").trimEnd())
    .join("\n");
}

/** As it stands in docs/figures.md. */
export function renderMarkdown(rows: readonly Row[]): string {
  const [head = [], ...lines] = aligned([HEAD, ...rows.map(cells)]);
  const rule = head.map((cell, column) =>
    isNumber(column) ? `${"-".repeat(cell.length - 1)}:` : "-".repeat(cell.length),
  );
  return [head, rule, ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

const isNumber = (column: number): boolean => column >= 1 && column <= 6;

function aligned(lines: readonly (readonly string[])[]): string[][] {
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) =>
    line.map((cell, column) =>
      isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    ),
  );
}

export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const gib = Math.round(totalmem() / 1024 ** 3);
  return `${availableParallelism()} cores (${model}), ${gib} GiB, Node ${process.version}, ${process.platform}`;
}

/** Taken before anything begins: what others do on the machine is in every time, and least in the CPU column. */
export function describeLoad(): string {
  const load = loadavg()[0] ?? 0;
  const others = load > availableParallelism() / 2 ? ": busy with something else, times are not the bench's alone" : "";
  return `load ${load.toFixed(1)} before the start${others}`;
}

function cells(row: Row): string[] {
  const { name, unit, figure, peakMiB, cpuMs, target, did } = row;
  const show = (value: number | undefined) => (value === undefined ? "–" : `${format(value, unit)} ${unit}`);
  return [
    name,
    show(figure?.median),
    show(figure?.fastest),
    show(figure?.slowest),
    cpuMs === null ? "–" : `${format(cpuMs, "ms")} ms`,
    peakMiB === null ? "–" : `${peakMiB} MiB`,
    target === null ? "–" : "atMost" in target ? `≤ ${show(target.atMost)}` : `≥ ${show(target.atLeast)}`,
    verdictOf(row)?.text ?? "",
    did,
  ];
}

function format(value: number, unit: Unit): string {
  const decimals = unit === "×" || unit === "/s" ? 2 : unit === "ms" && value < 10 ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
