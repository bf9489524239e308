/** A revision that says what the one in force says stands as that one does, for as long as that one is in force. */
import type { LoopState } from "./loop-state.ts";
import type { Revision } from "./revision.ts";

/** The one in force whose word `revision` repeats; null: it says something of its own, or another came into force since. */
export function standsAs({ revisions, inForce }: LoopState, revision: Revision): Revision | null {
  if (revision.standing !== "unchanged") return null;
  const at = revisions.findIndex(({ id }) => id === inForce);
  const isSince = at >= 0 && revisions.slice(at + 1).some(({ id }) => id === revision.id);
  return isSince ? (revisions[at] ?? null) : null;
}
