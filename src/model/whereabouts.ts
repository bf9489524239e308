/** Which of two notes of a fleet's whereabouts counts. Pure. */
import { type Instant, instant } from "./names.ts";
import type { Whereabouts } from "./observed-state.ts";

/**
 * By serial: each apply that tells raises the highest that it saw, so no clock has a say. Notes of an odorobo that knew no
 * serials come before all that have one, and among themselves go by their time.
 */
export function isLaterNote(note: Whereabouts, other: Whereabouts): boolean {
  const [serial, before] = [note.serial ?? 0, other.serial ?? 0];
  return serial === before ? note.at > other.at : serial > before;
}

/**
 * What an agent keeps of what it is told; null: it knows something later. A caller without serials is ordered by its time
 * against what is known, and gets the next serial. No note is from the future: the agent's clock bounds the caller's.
 */
export function noteToKeep(told: Whereabouts, known: Whereabouts | undefined, now: Instant): Whereabouts | null {
  const at = told.at > now ? now : told.at;
  if (known === undefined) return { ...told, at };
  const knownAt = known.at > now ? now : known.at;
  if (told.serial === undefined && known.serial !== undefined)
    return told.at > knownAt ? { ...told, at: laterThan(knownAt, at), serial: known.serial + 1 } : null;
  return isLaterNote({ ...told, at: told.at }, { ...known, at: knownAt }) ? { ...told, at } : null;
}

/** What is told must not look older than what it replaces, whatever the clocks of two machines say. */
export function laterThan(known: Instant | undefined, now: Instant): Instant {
  if (known === undefined || now > known) return now;
  return instant(new Date(Date.parse(known) + 1).toISOString());
}
