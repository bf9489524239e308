/** One place of a JSON value replaced by something else, or taken away. */
import fc from "fast-check";

const STRANGE = [null, true, -1, 1.5, "", "\u0000", "no such thing", [], {}, [null], { a: 1 }, undefined] as const;

export type Corruption = (value: unknown) => unknown;

/** Any place below `value` that the numbers lead to; never the root. */
export const anyCorruption: fc.Arbitrary<Corruption> = fc
  .tuple(fc.nat(), fc.constantFrom(...STRANGE))
  .map(([place, strange]) => {
    const corruption = (value: unknown): unknown => {
      const copy = structuredClone(value);
      const places = placesIn(copy);
      const found = places[place % places.length];
      if (found === undefined) return copy;
      const [holder, key] = found;
      if (strange === undefined && !Array.isArray(holder)) delete (holder as Record<string, unknown>)[key];
      else (holder as Record<string, unknown>)[key] = strange ?? null;
      return copy;
    };
    return corruption;
  });

function placesIn(value: unknown): (readonly [object, string])[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key) => [
    [value, key] as const,
    ...placesIn((value as Record<string, unknown>)[key]),
  ]);
}
