/** Why one fits nowhere: how many nodes each filter left, and what stands in the way together. */
import type { Blocked } from "../../model/changes.ts";
import { sayFilters } from "../words/filters.ts";

/** A line each; none where there is nothing more to say than its message. */
export function explainBlocked({ filters = [], conflict }: Blocked): string[] {
  const lines = filters.length > 1 ? [sayFilters(filters)] : [];
  if (conflict !== undefined && conflict.constraints.length > 0) {
    const texts = conflict.constraints.map(({ text }) => text);
    const others = conflict.othersStay ? ", as long as the others stay where they are" : "";
    if (texts.length === 1) lines.push(`in the way${others}: ${texts[0]}`);
    else
      lines.push(
        `these cannot be had together, one of them at least has to change${others}:`,
        ...texts.map((text) => `  - ${text}`),
      );
  }
  return lines;
}
