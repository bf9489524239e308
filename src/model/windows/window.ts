/** Times of the week in which guests may be disturbed. Time is an input: the same moment, the same answer. */
import { type Instant, instant } from "../names.ts";
import type { SourcePosition } from "../source-position.ts";
import { momentOf, wallTimeOf } from "./zoned-time.ts";

/** As Date.getUTCDay counts them. */
export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export interface Window {
  /** On which it begins. Never empty. */
  readonly days: readonly Weekday[];
  /** `02:00`, as clocks in the zone show it. */
  readonly from: string;
  /** No longer part of it. Not after `from`: of the day after. */
  readonly until: string;
  /** IANA name. */
  readonly timezone: string;
  /** Null: it is a VM's, whose `whereIs` knows. */
  readonly source: SourcePosition | null;
}

export interface Opening {
  readonly window: Window;
  readonly opens: Instant;
  readonly closes: Instant;
  readonly isOpen: boolean;
}

const DAY_MS = 86_400_000;
/** A window of each week begins within this, whatever the time of day. */
const DAYS_AHEAD = 8;

/** The one that is open at that moment, for longest; else the one that opens next. Null: there are no windows. */
export function openingAt(windows: readonly Window[], at: Instant): Opening | null {
  const now = Date.parse(at);
  let best: { readonly window: Window; readonly from: number; readonly until: number } | null = null;
  for (const window of windows) {
    for (const [from, until] of occurrences(window, now)) {
      if (until <= now) continue;
      const isBetter =
        best === null || (from <= now ? best.from > now || until > best.until : best.from > now && from < best.from);
      if (isBetter) best = { window, from, until };
    }
  }
  if (best === null) return null;
  const { window, from, until } = best;
  return { window, opens: toInstant(from), closes: toInstant(until), isOpen: from <= now };
}

const toInstant = (ms: number): Instant => instant(new Date(ms).toISOString());

/** From the one that may have begun yesterday on. */
function* occurrences({ days, from, until, timezone }: Window, now: number): Iterable<[number, number]> {
  const [begins, ends] = [timeOfDay(from), timeOfDay(until)];
  const today = Math.floor(wallTimeOf(now, timezone) / DAY_MS) * DAY_MS;
  for (let ahead = -1; ahead <= DAYS_AHEAD; ahead++) {
    const day = today + ahead * DAY_MS;
    if (!days.includes(WEEKDAYS[new Date(day).getUTCDay()] as Weekday)) continue;
    const lastDay = ends <= begins ? day + DAY_MS : day;
    const [opens, closes] = [momentOf(day + begins, timezone), momentOf(lastDay + ends, timezone)];
    // Of one that is skipped as a whole nothing would be left: it is as long as on other days.
    yield [opens, closes > opens ? closes : opens + lastDay + ends - (day + begins)];
  }
}

function timeOfDay(text: string): number {
  const [hours = 0, minutes = 0] = text.split(":").map(Number);
  return (hours * 60 + minutes) * 60_000;
}

/** `Sun 02:00-04:00 Europe/Berlin` */
export function describeWindow({ days, from, until, timezone }: Window): string {
  const inOrder = WEEKDAYS.filter((day) => days.includes(day));
  const named = inOrder.map((day) => `${day.charAt(0).toUpperCase()}${day.slice(1)}`);
  return `${inOrder.length === WEEKDAYS.length ? "daily" : named.join(", ")} ${from}-${until} ${timezone}`;
}
