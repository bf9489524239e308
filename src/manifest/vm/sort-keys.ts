import { byName } from "../../model/names.ts";

/** Specs are compared and digested: the order in which somebody wrote keys means nothing. */
export function sortKeys(
  record: Readonly<Record<string, string>> | null | undefined,
): Readonly<Record<string, string>> {
  if (!record) return {};
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => byName(a, b)));
}
