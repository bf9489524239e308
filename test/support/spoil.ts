/** For tests of what checks documents. */

/** One value of it is another, or gone, or there is one more. */
export function spoil(value: unknown, path: readonly number[], by: unknown): unknown {
  if (typeof value !== "object" || value === null || path.length === 0) return by;
  const [at = 0, ...rest] = path;
  const copy = structuredClone(value) as Record<string, unknown>;
  const keys = Object.keys(copy);
  const key = keys[at % (keys.length + 1)];
  if (key === undefined) return { ...copy, unheard: by };
  if (rest.length === 0 && by === undefined) delete copy[key];
  else copy[key] = spoil(copy[key], rest, by);
  return copy;
}
