/**
 * Diagnostics as text, each with its line and a caret below it:
 *
 *   fleet/web.yaml:12:11  error  memory must be a size such as 512MiB or 4GiB, not a number
 *    12 │     memory: 64
 *       │             ^^
 *       hint: write a unit: 64MiB or 64GiB
 */
import type { Diagnostic } from "./diagnostic.ts";
import { mayShowLine } from "./secret-lines.ts";
import type { ManifestText } from "./source-document.ts";

export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  texts: readonly Pick<ManifestText, "path" | "text">[],
): string {
  const linesOf = new Map<string, readonly string[]>();
  const wanted = new Set(diagnostics.map(({ file }) => file));
  for (const { path, text } of texts) if (wanted.has(path)) linesOf.set(path, text.split(/\r?\n/));
  return diagnostics.map((diagnostic) => renderOne(diagnostic, linesOf.get(diagnostic.file))).join("\n");
}

function renderOne(diagnostic: Diagnostic, lines: readonly string[] | undefined): string {
  const { file, line, column, endColumn, severity, message, hint } = diagnostic;
  const rows = [`${file}:${line}:${column}  ${severity}  ${message}`];
  const margin = " ".repeat(String(line).length + 2);
  const text = lines?.[line - 1];
  if (lines !== undefined && text !== undefined && !ABOUT_WHOLE_FILES.has(diagnostic.code)) {
    if (mayShowLine(lines, line - 1, diagnostic)) {
      const start = column - 1;
      rows.push(` ${line} │ ${clip(text)}`);
      if (start <= MAX_WIDTH)
        rows.push(
          `${margin}│ ${blankFor(text.slice(0, start))}${"^".repeat(widthOf(clip(text).slice(start, endColumn - 1)) || 1)}`,
        );
    } else rows.push(` ${line} │ (not shown: it may hold a secret)`);
  }
  if (hint !== null) rows.push(`${margin}hint: ${hint}`);
  return `${rows.join("\n")}\n`;
}

const ABOUT_WHOLE_FILES: ReadonlySet<string> = new Set(["missing-fleet", "not-a-manifest"]);

/** A line of a minified file would fill the screen. */
const MAX_WIDTH = 240;

const clip = (text: string): string => (text.length > MAX_WIDTH ? `${text.slice(0, MAX_WIDTH)}…` : text);

/** As wide as the text on a terminal: tabs stay tabs, whatever their width. */
const blankFor = (text: string): string =>
  [...text].map((character) => (character === "\t" ? "\t" : " ".repeat(widthOf(character)))).join("");

function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += INVISIBLE.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** Combining marks, joiners, variation selectors, byte order marks. */
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** East Asian wide and full-width forms, and emoji: two columns on terminals. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}\u{20000}-\u{3fffd}]$/u;
