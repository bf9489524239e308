/**
 * A limit for those who cost something: connecting, parsing. Who only waits for an answer costs nothing, so after a moment
 * he gives his seat away and goes on waiting standing. So a hundred silent nodes do not make the others wait for their deadlines.
 */
export interface Seats {
  /** Resolves with the function that gives the seat back. */
  take(): Promise<() => void>;
}

/** Longer than a healthy agent nearby takes for its report, much shorter than any deadline. */
const SITTING_MS = 50;

export function createSeats(count: number, sittingMs = SITTING_MS): Seats {
  let free = count;
  const queue: (() => void)[] = [];
  const sit = (): (() => void) => {
    free--;
    let isSitting = true;
    const leave = () => {
      if (!isSitting) return;
      isSitting = false;
      clearTimeout(timer);
      free++;
      queue.shift()?.();
    };
    const timer = setTimeout(leave, sittingMs);
    return leave;
  };
  return {
    take: () => (free > 0 ? Promise.resolve(sit()) : new Promise((resolve) => queue.push(() => resolve(sit())))),
  };
}
