/** `--target` and `--exclude`: names, globs (`web-*`) and labels (`app=web`). */
import type { Selection } from "./plan-document.ts";

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

function isMatch(vm: Selectable, pattern: string): boolean {
  const equals = pattern.indexOf("=");
  if (equals < 0) return globToRegExp(pattern).test(vm.name);
  const key = pattern.slice(0, equals);
  return Object.hasOwn(vm.labels, key) && vm.labels[key] === pattern.slice(equals + 1);
}

const globToRegExp = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replace(/\*/g, ".*")
      .replace(/\?/g, ".")}$`,
  );
