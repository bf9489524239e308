/**
 * What many values have in common, written once: the VMs of a fleet differ in a name, a disk and an address, and the rest is the same
 * again and again. Whoever reads it back has one object where the texts were equal: less to read, to keep, and to compare.
 *
 * Packed are records: what is an object in them, or in the items of their lists, becomes its number in the table.
 */

type Packed = Readonly<Record<string, unknown>>;

/** In a packed record every object is one of these. */
interface Reference {
  readonly $: number;
}

export class SharingWriter {
  /** JSON texts, by their number. */
  readonly table: string[] = [];
  readonly #numbers = new Map<string, number>();

  pack(record: object): Packed {
    const packed: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(record)) packed[key] = this.#share(value);
    return packed;
  }

  #share(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value) && value.length > 0 && value.every(isRecord)) return value.map((item) => this.pack(item));
    const text = JSON.stringify(value);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.table.push(text) - 1;
      this.#numbers.set(text, number);
    }
    return { $: number } satisfies Reference;
  }
}

/** What `SharingWriter` packed, from the values of its table. The record itself becomes what it was. */
export function unpackShared(packed: Packed, table: readonly unknown[]): Packed {
  const record = packed as Record<string, unknown>;
  for (const key in record) {
    const value = record[key];
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) for (const item of value) unpackShared(item as Packed, table);
    else record[key] = table[(value as Reference).$];
  }
  return record;
}

const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
