/** Smallest key first; of equals the smallest second key, then what was added last. */
export class Heap<Item> {
  readonly #entries: { readonly item: Item; readonly key: number; readonly second: number; readonly number: number }[] =
    [];
  #count = 0;

  /** Null: it is empty. */
  peek(): Item | null {
    return this.#entries[0]?.item ?? null;
  }

  push(item: Item, key: number, second = 0): void {
    const entries = this.#entries;
    entries.push({ item, key, second, number: this.#count++ });
    for (let index = entries.length - 1; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** Null: it is empty. */
  pop(): Item | null {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (top === undefined || last === undefined) return null;
    if (entries.length === 0) return top.item;
    entries[0] = last;
    for (let index = 0; ; ) {
      const left = 2 * index + 1;
      let first = index;
      for (const child of [left, left + 1]) if (child < entries.length && this.#isBefore(child, first)) first = child;
      if (first === index) return top.item;
      this.#swap(index, first);
      index = first;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [first, second] = [this.#entries[a], this.#entries[b]];
    if (first === undefined || second === undefined) return false;
    return (first.key - second.key || first.second - second.second || second.number - first.number) < 0;
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#entries[a], this.#entries[b]];
    if (first === undefined || second === undefined) return;
    this.#entries[a] = second;
    this.#entries[b] = first;
  }
}
