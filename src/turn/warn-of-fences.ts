/**
 * A node that is said to be off and answers: the word has no effect while it does, and the next time that the node is silent its VMs
 * would start elsewhere without anybody having looked. So plans say it each time.
 */
import { sortDiagnostics } from "../manifest/text/diagnostic.ts";
import { renderDiagnostics } from "../manifest/text/render-diagnostics.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { Fleet } from "./read-fleet.ts";

export function warnOfFences(fleet: Fleet, observed: ObservedState): Fleet {
  const answering = new Set(observed.nodes.flatMap(({ name, reach }) => (reach === "answered" ? [name] : [])));
  const fenced = fleet.desired.nodes.filter((node) => node.fenced && answering.has(node.name));
  const told = fenced.flatMap(({ name, source }) =>
    source === null
      ? []
      : [
          {
            severity: "warning" as const,
            ...source,
            endColumn: source.column + name.length,
            code: "no-effect" as const,
            message: `${name} is fenced and answers: should it fall silent again, its VMs would start elsewhere at once`,
            hint: `odorobo node unfence ${name}`,
          },
        ],
  );
  if (told.length === 0) return fleet;
  const warnings = sortDiagnostics([...fleet.warnings, ...told]);
  return { ...fleet, warnings, warningsText: renderDiagnostics(warnings, fleet.texts).trimEnd() };
}
