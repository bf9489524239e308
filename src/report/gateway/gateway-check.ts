/** What `odorobo gateway check` found (`schemas/gateway-check.schema.json`), and how it is told. */
import type { Finding, FindingLevel } from "../../model/doctor-report.ts";
import type { Instant } from "../../model/names.ts";
import { type Hue, paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";

export interface GatewayCheck {
  readonly kind: "GatewayCheck";
  readonly version: 1;
  readonly at: Instant;
  /** This machine first, then fleet by fleet in the order of the file. */
  readonly findings: readonly GatewayFinding[];
}

export interface GatewayFinding extends Finding {
  /** Null: it is about the gateway itself. */
  readonly fleet: string | null;
}

const HUES: Readonly<Record<FindingLevel, Hue>> = { ok: "green", warn: "yellow", fail: "red", unknown: "cyan" };
const LEVEL_WIDTH = "unknown".length;

export function renderGatewayCheck({ findings }: GatewayCheck, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const lines: string[] = [];
  let fleet: string | null = null;
  for (const finding of findings) {
    if (finding.fleet !== fleet && finding.fleet !== null) lines.push("", paint("bold", safeLine(finding.fleet)));
    fleet = finding.fleet;
    const { check, level, message, hint } = finding;
    lines.push(`${paint(HUES[level], level.padEnd(LEVEL_WIDTH))}  ${safeLine(check).padEnd(11)}  ${safeLine(message)}`);
    if (hint !== null) lines.push(`${" ".repeat(LEVEL_WIDTH + 15)}${paint("cyan", "hint:")} ${safeLine(hint)}`);
  }
  const count = (level: FindingLevel) => findings.filter((each) => each.level === level).length;
  const counts = (["fail", "warn", "unknown", "ok"] as const).filter((level) => count(level) > 0);
  return [...lines, "", counts.map((level) => `${count(level)} ${level}`).join(", ")].join("\n");
}
