/** Which node a guest would be given, and why that one: said before it goes. */

import type { PlacementFilter } from "../../model/changes.ts";
import type { NodeName } from "../../model/names.ts";
import { sayFilters } from "../words/filters.ts";
import { safeLine } from "../words/safe-text.ts";
import { someNames } from "./some-names.ts";

interface Destination {
  readonly node: NodeName;
  readonly able: readonly NodeName[];
  readonly filters: readonly PlacementFilter[];
}

export function renderDestination(vm: string, { node, able, filters }: Destination): string {
  const why =
    able.length === 1
      ? "the only node that can take it"
      : `of ${someNames(able)} the best by its preferences, then the emptiest`;
  return `${safeLine(vm)} goes to ${safeLine(node)}, ${why} (${sayFilters(filters)})`;
}
