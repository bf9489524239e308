/** Markdown whose texts come from others: nothing in them is markup, and nothing in them ends what they are put into. */
import { safeLine } from "./safe-text.ts";

/** A fence longer than any run of backticks inside cannot be closed from inside. */
export function fenced(lines: readonly string[]): string {
  const longest =
    lines
      .join("\n")
      .match(/`+/g)
      ?.reduce((most, run) => Math.max(most, run.length), 0) ?? 0;
  const fence = "`".repeat(Math.max(3, longest + 1));
  return `${fence}text\n${lines.join("\n")}\n${fence}`;
}

/** As many lines as fit, then how many were left out. */
export function cut(lines: readonly string[], budget: number, note: (left: number) => string): string[] {
  let room = budget;
  const kept: string[] = [];
  for (const line of lines) {
    room -= line.length + 1;
    if (room < 0) return [...kept, note(lines.length - kept.length)];
    kept.push(line);
  }
  return kept;
}

/**
 * Backslashes before all that means something, and entities for what would be HTML. Forges look for mentions, numbers of issues and
 * addresses in the page that they have made, where escapes and entities are gone: so nothing of that kind stays in one piece.
 */
export const escapeMarkdown = (text: string): string =>
  safeLine(text)
    .replace(/[\\`*_{}[\]()#+!|~]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/@/g, `&#64;${NOTHING}`)
    .replace(/([#!])(?=\d)/g, `$1${NOTHING}`)
    .replace(/:\/\//g, `:${NOTHING}//`)
    .replace(/\b(www)\./gi, `$1${NOTHING}.`);

/** A space without width. */
const NOTHING = "&#8203;";
