/** `--target` and `--exclude`: names, globs (`web-*`) and labels (`app=web`). */
import type { Selection } from "../model/changes.ts";

export interface Selectable {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Null selects all. Excluding wins over targeting. */
export function isSelected(vm: Selectable, selection: Selection | null): boolean {
  if (selection === null) return true;
  const { targets, excludes } = selection;
  return (
    (targets.length === 0 || targets.some((each) => isMatch(vm, each))) && !excludes.some((each) => isMatch(vm, each))
  );
}

/** Patterns that no VM answers to: a typing mistake must not look like "nothing to do". */
export const unmatchedPatterns = (selection: Selection | null, vms: readonly Selectable[]): string[] =>
  selection === null
    ? []
    : [...selection.targets, ...selection.excludes].filter((each) => !vms.some((vm) => isMatch(vm, each)));

const IS_GLOB = /[*?[{]/;

function isMatch(vm: Selectable, pattern: string): boolean {
  const equals = pattern.indexOf("=");
  if (equals < 0) return IS_GLOB.test(pattern) ? globToRegExp(pattern).test(vm.name) : vm.name === pattern;
  const key = pattern.slice(0, equals);
  return Object.hasOwn(vm.labels, key) && vm.labels[key] === pattern.slice(equals + 1);
}

/** As a shell reads it: `*`, `?`, `[a-c]`, `[!x]` and `{a,b}`, which does not nest. What is not closed stands for itself. */
function globToRegExp(glob: string): RegExp {
  const parts = glob.match(/\*|\?|\[!?[^\]]+\]|\{[^{}]*\}|[\s\S]/g) ?? [];
  return new RegExp(`^${parts.map(partToRegExp).join("")}$`);
}

function partToRegExp(part: string): string {
  if (part === "*") return ".*";
  if (part === "?") return ".";
  if (part.startsWith("[") && part.length > 2) {
    const [, not = "", set = ""] = /^\[(!?)(.*)\]$/.exec(part) ?? [];
    const isRange = /^([a-z0-9]-[a-z0-9]|[a-z0-9-])+$/.test(set);
    return isRange && isOrdered(set) ? `[${not === "" ? "" : "^"}${set}]` : literal(part);
  }
  if (part.startsWith("{") && part.length > 2)
    return `(?:${part
      .slice(1, -1)
      .split(",")
      .map((each) => globToRegExp(each).source.slice(1, -1))
      .join("|")})`;
  return literal(part);
}

/** `[c-a]` is no range. */
const isOrdered = (set: string): boolean =>
  [...set.matchAll(/([a-z0-9])-([a-z0-9])/g)].every(([, from = "", to = ""]) => from <= to);

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** `web-1,web-2` is two patterns; a comma in braces belongs to one. */
export const splitPatterns = (text: string): string[] =>
  (text.match(/(?:\{[^{}]*\}|[^,])+/g) ?? [text]).map((each) => each.trim()).filter((each) => each !== "");
