/**
 * Which lines of a manifest may be shown below a diagnostic. Cloud-init data holds passwords and keys, and where its indentation
 * is wrong YAML no longer knows that a line belongs to it: so this looks at the lines as a person would, and errs on the side of silence.
 */
import { hasUserInfo } from "./build-devices.ts";
import type { Diagnostic } from "./diagnostic.ts";

export function mayShowLine(lines: readonly string[], index: number, { code }: Pick<Diagnostic, "code">): boolean {
  // Not ours, so nobody knows what is in it.
  if (code === "not-a-manifest" || !lines.some((line) => line.includes("odorobo.dev/"))) return false;
  const line = lines[index] ?? "";
  if (hasUserInfo(line)) return false;
  if (DATA_KEY.test(line)) return isHarmlessData(line);
  const opening = openingKeyAbove(lines, index);
  if (opening === null) return true;
  return opening === "cloudInit" && HARMLESS_IN_CLOUD_INIT.test(line);
}

const DATA_KEY = /["']?\b(userData|networkConfig)\b["']?\s*:/;

/** A path, or the beginning of a block whose text is on the lines below. */
function isHarmlessData(line: string): boolean {
  const values = line.split(DATA_KEY).slice(1);
  return values.every(
    (part, at) => at % 2 === 0 || /^\s*(["']?\.{1,2}\/[^\s"']*["']?|[|>][-+0-9]*)?\s*([,}].*|#.*)?$/.test(part),
  );
}

const HARMLESS_IN_CLOUD_INIT = /^\s*(-\s+["']?(ssh-|ecdsa-|sk-)|sshKeys\s*:)/;

/**
 * The key whose value this line is part of, as far as its indentation tells: the data itself, or the map around it.
 * After a block of data that is not indented at all, everything up to the end of the document counts as data.
 */
function openingKeyAbove(lines: readonly string[], index: number): "data" | "cloudInit" | null {
  let indent = indentOf(lines[index] ?? "");
  let opening: "cloudInit" | null = null;
  for (let above = index - 1; above >= 0; above--) {
    const line = lines[above] ?? "";
    if (/^---(\s|$)/.test(line)) return opening;
    if (line.trim() === "") continue;
    const own = indentOf(line);
    if (DATA_KEY.test(line) && (own < indent || hasLostBlock(lines, above))) return "data";
    if (own >= indent) continue;
    if (/^\s*(-\s+)?["']?cloudInit["']?\s*:/.test(line)) opening = "cloudInit";
    indent = Math.min(indent, own);
  }
  return opening;
}

/** `userData: |` whose text does not stand deeper than the key. */
function hasLostBlock(lines: readonly string[], index: number): boolean {
  const line = lines[index] ?? "";
  if (!/:\s*[|>][-+0-9]*\s*(#.*)?$/.test(line)) return false;
  const next = lines.slice(index + 1).find((each) => each.trim() !== "");
  return next !== undefined && indentOf(next) <= indentOf(line);
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
