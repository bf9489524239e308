/**
 * Local times of a time zone as moments, with the runtime's own zone data. As Temporal's `compatible`: a time that a zone skips in
 * spring is as much later as is skipped, one that it has twice in autumn is the first of the two.
 */

const formats = new Map<string, Intl.DateTimeFormat>();

/** Throws a RangeError for a zone that does not exist. */
function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    const two = "2-digit";
    const parts = {
      year: "numeric",
      month: two,
      day: two,
      hour: two,
      minute: two,
      second: two,
      hourCycle: "h23",
    } as const;
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, calendar: "iso8601", ...parts });
    formats.set(zone, format);
  }
  return format;
}

export function isTimeZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

/** What clocks in the zone show, as milliseconds of a UTC that shows the same. */
export function wallTimeOf(ms: number, zone: string): number {
  const shown = Object.fromEntries(
    formatOf(zone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

const offsetAt = (ms: number, zone: string): number => wallTimeOf(ms, zone) - Math.floor(ms / 1_000) * 1_000;

const DAY_MS = 86_400_000;

/** The moment at which clocks in the zone show `wall`, as `wallTimeOf` has it. No zone changes its clocks twice in two days. */
export function momentOf(wall: number, zone: string): number {
  const [before, after] = [offsetAt(wall - DAY_MS, zone), offsetAt(wall + DAY_MS, zone)];
  const moments = [wall - before, wall - after].filter((moment) => moment + offsetAt(moment, zone) === wall);
  return moments.length === 0 ? wall - before : Math.min(...moments);
}
