/**
 * Diagnostics as text, each with its line, as far as it may be shown, and a caret below it:
 *
 *   fleet/web.yaml:12:11  error  memory must be a size such as 512MiB or 4GiB, not a number
 *    12 │     memory: 64
 *       │             ^^
 *       hint: write a unit: 64MiB or 64GiB
 */
import type { Diagnostic } from "./diagnostic.ts";
import { showLine } from "./secret-lines.ts";
import type { ManifestText } from "./source-document.ts";

/** A person mends the first few and looks again; a file that went wrong has thousands. */
const SHOWN_AT_MOST = 100;

export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  texts: readonly Pick<ManifestText, "path" | "text">[],
  show = showLine,
): string {
  const linesOf = new Map<string, readonly string[]>();
  const shown = diagnostics.slice(0, SHOWN_AT_MOST);
  const wanted = new Set(shown.map(({ file }) => file));
  for (const { path, text } of texts) if (wanted.has(path)) linesOf.set(path, text.split(/\r?\n/));
  const rendered = shown.map((diagnostic) => renderOne(diagnostic, linesOf.get(diagnostic.file), show));
  const more = diagnostics.length - shown.length;
  return [...rendered, ...(more > 0 ? [`and ${more} more\n`] : [])].join("\n");
}

function renderOne(diagnostic: Diagnostic, lines: readonly string[] | undefined, show: typeof showLine): string {
  const { file, line, column, endColumn, severity, message, hint } = diagnostic;
  const rows = [`${file}:${line}:${column}  ${severity}  ${message}`];
  const margin = " ".repeat(String(line).length + 2);
  if (lines?.[line - 1] !== undefined && !ABOUT_WHOLE_FILES.has(diagnostic.code)) {
    const shown = show(lines, line - 1, diagnostic);
    if (shown === null) rows.push(` ${line} │ (not shown: it may hold a secret)`);
    else {
      const start = shown.columnOf(column - 1);
      const end = shown.columnOf(endColumn - 1);
      rows.push(` ${line} │ ${shown.text}`);
      // Tabs stay tabs, whatever their width.
      if (start < shown.text.length)
        rows.push(
          `${margin}│ ${shown.text.slice(0, start).replaceAll(/[^\t]/g, " ")}${"^".repeat(Math.max(1, end - start))}`,
        );
    }
  }
  if (hint !== null) rows.push(`${margin}hint: ${hint}`);
  return `${rows.join("\n")}\n`;
}

const ABOUT_WHOLE_FILES: ReadonlySet<string> = new Set(["missing-fleet", "not-a-manifest"]);
