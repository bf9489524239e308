/** What `odorobo import --json` prints (`schemas/import-report.schema.json`), and the same for people. */
import { plural } from "./words/names.ts";
import type { Paint } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";

export interface ImportReport {
  readonly kind: "ImportReport";
  readonly version: 1;
  readonly folder: string;
  /** Relative to the folder. */
  readonly written: readonly string[];
  readonly vms: readonly {
    readonly name: string;
    /** As it is called where it came from. */
    readonly was: string;
    readonly file: string;
    readonly manifest: string;
    readonly notes: readonly {
      readonly kind: "lost" | "changed" | "check";
      readonly what: string;
      readonly says: string;
      readonly line: number;
      readonly column: number;
    }[];
  }[];
  /** Files, or parts of them, that could not be read. */
  readonly problems: readonly {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly message: string;
    readonly hint: string;
  }[];
}

const HUES = { lost: "red", changed: "yellow", check: "yellow" } as const;

export function renderImport(report: ImportReport, paint: Paint): string {
  const lines: string[] = [];
  for (const { file, line, column, message, hint } of report.problems)
    lines.push(`${safeLine(file)}:${line}:${column}: ${safeLine(message)}`, `    hint: ${safeLine(hint)}`, "");
  for (const { name, was, file, manifest, notes } of report.vms) {
    const called = was === name ? name : `${name}, called ${safeLine(JSON.stringify(was))} there`;
    lines.push(`${called}: ${manifest}, from ${safeLine(file)}`);
    for (const { kind, what, says, line } of notes)
      lines.push(`  ${paint(HUES[kind], kind.padEnd(7))} ${safeLine(what)} (line ${line}): ${safeLine(says)}`);
  }
  const count = (wanted: string) =>
    report.vms.flatMap(({ notes }) => notes).filter(({ kind }) => kind === wanted).length;
  const notes = [`${count("lost")} lost`, `${count("changed")} changed`, `${count("check")} to check`].filter(
    (each) => !each.startsWith("0"),
  );
  const told = notes.length === 0 ? "nothing is lost" : notes.join(", ");
  const problems = report.problems.length === 0 ? "" : `; ${plural(report.problems.length, "place")} could not be read`;
  lines.push("", `${plural(report.vms.length, "VM")} in ${safeLine(report.folder)}: ${told}${problems}.`);
  return lines.join("\n");
}
