/** How many nodes each filter leaves, in a sentence: of those that leave as many as there were, only the last is told. */
import { FILTER_WORDS, type PlacementFilter } from "../../model/changes.ts";
import { plural } from "./names.ts";

/** `500 nodes in the fleet, 480 allowed by its placement, 0 with room` */
export function sayFilters(filters: readonly PlacementFilter[]): string {
  const [all, ...rest] = filters;
  if (all === undefined) return "";
  const told: PlacementFilter[] = [];
  let before = all.left;
  for (const each of rest) {
    if (each.left < before) told.push(each);
    before = each.left;
    if (before === 0) break;
  }
  const last = rest.at(-1);
  if (before > 0 && last !== undefined && told.at(-1)?.filter !== last.filter) told.push(last);
  return [`${plural(all.left, "node")} ${FILTER_WORDS.nodes}`, ...told.map(sayFilter)].join(", ");
}

const sayFilter = ({ filter, left }: PlacementFilter): string => `${left} ${FILTER_WORDS[filter]}`;
