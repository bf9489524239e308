/** What a doctor found, for people: what is wrong is what they look for, so it has the colours and the hints. */
import type { DoctorReport, Finding, FindingLevel } from "../model/doctor-report.ts";
import { type Hue, type Paint, paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";

const HUES: Readonly<Record<FindingLevel, Hue>> = { ok: "green", warn: "yellow", fail: "red", unknown: "cyan" };

export function renderDoctorReport(report: DoctorReport, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const width = report.findings.reduce((most, { check }) => Math.max(most, safeLine(check).length), 0);
  return [
    ...report.findings.flatMap((finding) => findingLines(finding, width, paint)),
    "",
    `${report.node === null ? "this machine" : safeLine(report.node)}: ${countLevels(report.findings)}`,
  ].join("\n");
}

const LEVEL_WIDTH = "unknown".length;

function findingLines({ check, level, message, hint }: Finding, width: number, paint: Paint): string[] {
  const margin = " ".repeat(LEVEL_WIDTH + 2 + width + 2);
  const head = `${paint(HUES[level], level.padEnd(LEVEL_WIDTH))}  ${safeLine(check).padEnd(width)}  ${safeLine(message)}`;
  return hint === null ? [head] : [head, `${margin}${paint("cyan", "hint:")} ${safeLine(hint)}`];
}

/** `1 fail, 2 warn, 3 unknown, 12 ok` */
function countLevels(findings: readonly Finding[]): string {
  const worstFirst: readonly FindingLevel[] = ["fail", "warn", "unknown", "ok"];
  const counts = worstFirst.map((level) => [findings.filter((each) => each.level === level).length, level] as const);
  return counts
    .filter(([count]) => count > 0)
    .map(([count, level]) => `${count} ${level}`)
    .join(", ");
}
