/**
 * Where each value of a document stands in its text, packed into one string, because a parse cache keeps thousands of them
 * and few are ever asked for: four numbers for each map entry and list item, in the order of a walk through the document.
 */

/**
 * Offsets into the text: of the key (for a list item: of the value) and of the value.
 * A block map or list has no end of its own, and what is left empty stands right behind its key: there `end` is `start`.
 */
export interface Place {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly start: number;
  readonly end: number;
}

/** Keys as strings, list indices as numbers. */
export type Segments = readonly (string | number)[];

/** Collects places during a walk. The first one is the document itself. */
export class PlacesWriter {
  readonly #numbers: number[] = [];

  /** Answers with a handle for `setEnd`. */
  add(keyStart: number, keyEnd: number, start: number, end: number): number {
    return this.#numbers.push(keyStart, keyEnd, start, end) - 1;
  }

  /** For values whose parts come before their end is known. */
  setEnd(place: number, end: number): void {
    this.#numbers[place] = end;
  }

  /** Differences in base 36: a third of what the offsets would take. */
  toString(): string {
    const numbers = this.#numbers;
    let text = "";
    let previous = 0;
    for (let i = 0; i < numbers.length; i += 4) {
      const keyStart = numbers[i] ?? 0;
      text += `${i === 0 ? "" : " "}${(keyStart - previous).toString(36)}`;
      // The key's end, the value's start and its end.
      text += ` ${((numbers[i + 1] ?? 0) - keyStart).toString(36)} ${((numbers[i + 2] ?? 0) - keyStart).toString(36)}`;
      text += ` ${((numbers[i + 3] ?? 0) - (numbers[i + 2] ?? 0)).toString(36)}`;
      previous = keyStart;
    }
    return text;
  }
}

/** Null when there is no such value in the document. */
export function findPlace(document: unknown, places: string, segments: Segments): Place | null {
  if (typeof document !== "object" || document === null) return segments.length === 0 ? readPlace(places, 0) : null;
  const known = asked.get(document) ?? { times: 0, index: null };
  if (known.times === 0) asked.set(document, known);
  known.times++;
  // Most documents are asked for one place, and few of those that are wrong for thousands.
  if (known.times <= INDEXED_AFTER) {
    const index = countBefore(document, segments);
    return index === null ? null : readPlace(places, index);
  }
  known.index ??= new PlaceIndex(document, places);
  return known.index.find(document, segments);
}

const INDEXED_AFTER = 8;

/** How often each document was asked, and its index once that pays. Documents do not change. */
const asked = new WeakMap<object, { times: number; index: PlaceIndex | null }>();

/** All places of a document, by the map or list they are in. */
class PlaceIndex {
  readonly #numbers: readonly number[];
  /** Of a map or list: its first entry's number, and each key's. */
  readonly #entries = new Map<object, ReadonlyMap<string, number>>();

  constructor(document: object, places: string) {
    this.#numbers = places.split(" ").map((each) => Number.parseInt(each, 36));
    let keyStart = 0;
    const numbers = this.#numbers as number[];
    for (let i = 0; i < numbers.length; i += 4) {
      keyStart += numbers[i] ?? 0;
      numbers[i] = keyStart;
    }
    this.#walk(document, 0);
  }

  find(document: object, segments: Segments): Place | null {
    let current: unknown = document;
    let index = 0;
    for (const segment of segments) {
      if (typeof current !== "object" || current === null) return null;
      const found = this.#entries.get(current)?.get(String(segment));
      if (found === undefined) return null;
      index = found;
      current = (current as Record<string | number, unknown>)[segment];
    }
    const [keyStart, keyLength, toValue, length] = this.#numbers.slice(index * 4, index * 4 + 4);
    if (keyStart === undefined || keyLength === undefined || toValue === undefined || length === undefined) return null;
    const start = keyStart + toValue;
    return { keyStart, keyEnd: keyStart + keyLength, start, end: start + length };
  }

  /** Answers with the number of the last entry. */
  #walk(value: object, before: number): number {
    let index = before;
    const entries = new Map<string, number>();
    for (const [key, each] of Object.entries(value)) {
      index++;
      entries.set(key, index);
      if (typeof each === "object" && each !== null) index = this.#walk(each, index);
    }
    this.#entries.set(value, entries);
    return index;
  }
}

/** How many entries a walk meets before it comes to this one. */
function countBefore(document: unknown, segments: Segments): number | null {
  let index = 0;
  let current = document;
  for (const segment of segments) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, segment)) return null;
    index++;
    for (const [key, value] of Object.entries(current)) {
      if (key === String(segment)) break;
      index += countEntries(value) + 1;
    }
    current = (current as Record<string, unknown>)[segment];
  }
  return index;
}

function countEntries(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  for (const each of Object.values(value)) count += countEntries(each) + 1;
  return count;
}

function readPlace(places: string, index: number): Place | null {
  const numbers = places.split(" ", (index + 1) * 4);
  if (numbers.length < (index + 1) * 4) return null;
  let keyStart = 0;
  for (let i = 0; i <= index; i++) keyStart += Number.parseInt(numbers[i * 4] ?? "", 36);
  const [keyLength = 0, toValue = 0, length = 0] = numbers
    .slice(index * 4 + 1)
    .map((each) => Number.parseInt(each, 36));
  return { keyStart, keyEnd: keyStart + keyLength, start: keyStart + toValue, end: keyStart + toValue + length };
}
