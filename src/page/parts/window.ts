/** Which rows of a long list are there: those that are seen and some on either side. Pure. */

export interface Window {
  readonly first: number;
  /** One past the last. */
  readonly end: number;
}

/** On either side, so that a turn of the wheel shows no gap before the next frame. */
const SPARE_ROWS = 12;
/** The window moves in jumps of so many: most frames of a scroll change nothing. */
const JUMP = 6;

export function windowOf(count: number, rowHeight: number, scrollTop: number, height: number): Window {
  const top = Math.floor(scrollTop / rowHeight / JUMP) * JUMP;
  const first = Math.max(0, Math.min(top - SPARE_ROWS, count - 1));
  const end = Math.min(count, top + JUMP + Math.ceil(height / rowHeight) + SPARE_ROWS);
  return { first, end: Math.max(first, end) };
}
