/**
 * Lets many callers share one slow sync: whoever comes while one runs shares the next one, because the running one may
 * have begun before the caller's own change. A thousand new VM folders cost a handful of syncs, not a thousand.
 */
export function sharedSync(sync: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const start = (): Promise<void> => {
    const mine = sync().finally(() => {
      if (running === mine) running = null;
    });
    running = mine;
    return mine;
  };
  return () => {
    if (running === null) return start();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = null;
        return start();
      });
    return next;
  };
}
