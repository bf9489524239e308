/** Warnings of manifests that are nonetheless valid: on stderr, so that they are in no document and no pipe. */
import type { Fleet } from "../../../turn/read-fleet.ts";
import type { Screen } from "./terminal.ts";

export function noteWarnings(screen: Screen, fleet: Fleet): void {
  if (fleet.warnings.length > 0) screen.note(fleet.warningsText);
}
