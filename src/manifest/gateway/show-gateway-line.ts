/**
 * A line of a gateway's file as it may be shown below a diagnostic. Its own fields hold no secrets, only the files of secrets; a password in
 * an address, and whatever stands behind a field that is none of ours, may be one, and is `…`.
 */
import { isOwnWord, isWordOfOurs } from "../text/harmless.ts";
import type { ShownLine } from "../text/secret-lines.ts";

/** A line of a minified file would fill the screen. */
const MAX_WIDTH = 240;
const ENTRY = /([A-Za-z][\w-]*|"[^"]*"|'[^']*'|[^\s:,{}[\]#-][^:,{}[\]]*)(:(?:\s+|$))([^,{}[\]#]*)/g;
const ITEM = /^\s*(?:-\s+)+([^\s{[][^:]*)$/;
const SECRET_IN_URL = /(?<=:\/\/)[^/@\s]+(?=@)/g;

/** Null when nothing of it can be shown. */
export function showGatewayLine(lines: readonly string[], index: number): ShownLine | null {
  const line = (lines[index] ?? "").slice(0, MAX_WIDTH);
  const hidden = [...spansToHide(line)];
  let text = "";
  /** Column of the line → column of what is shown. */
  const columns: number[] = [];
  for (let at = 0; at <= line.length; at++) {
    const span = hidden.find(({ start, end }) => at >= start && at < end);
    if (span?.start === at) text += "…";
    columns.push(span === undefined ? text.length : text.length - 1);
    if (span === undefined) text += line[at] ?? "";
  }
  if (!/[A-Za-z]/.test(text)) return null;
  return { text: text.trimEnd(), columnOf: (column) => columns[Math.min(column, line.length)] ?? text.length };
}

function* spansToHide(line: string): Generator<{ readonly start: number; readonly end: number }> {
  const span = (start: number, text: string) => ({ start, end: start + text.trimEnd().length });
  const comment = line.search(/(^|\s)#/);
  if (comment >= 0) yield span(comment, line.slice(comment));
  const isEntry = [...line.matchAll(ENTRY)];
  for (const match of isEntry) {
    const [, key = "", colon = "", value = ""] = match;
    const word = key.replaceAll(/["']/g, "");
    if (!isOwnWord(word)) yield span(match.index, key);
    if (value.trim() !== "" && !isWordOfOurs(word)) yield span(match.index + key.length + colon.length, value);
  }
  const item = ITEM.exec(line)?.[1];
  const isListItem = isEntry.length === 0 && item !== undefined;
  if (isListItem && !isWordOfOurs(item.trim())) yield span(line.indexOf(item), item);
  if (isEntry.length === 0 && !isListItem && line.trim() !== "" && !/^[\s\-{}[\],]*$/.test(line))
    for (const word of line.matchAll(/[^\s,{}[\]-]+/g)) if (!isWordOfOurs(word[0])) yield span(word.index, word[0]);
  for (const match of line.matchAll(SECRET_IN_URL)) yield span(match.index, match[0]);
}
