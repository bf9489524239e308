/** The smallest of a changing set of numbers, in logarithmic time: a binary heap. */
export class NumberHeap {
  readonly #items: number[] = [];

  get smallest(): number | undefined {
    return this.#items[0];
  }

  add(value: number): void {
    const items = this.#items;
    let place = items.push(value) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = items[parent] as number;
      if (above <= value) break;
      items[place] = above;
      place = parent;
    }
    items[place] = value;
  }

  takeSmallest(): number | undefined {
    const items = this.#items;
    const smallest = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return smallest;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && (items[child + 1] as number) < (items[child] as number)) child++;
      const below = items[child] as number;
      if (last <= below) break;
      items[place] = below;
      place = child;
    }
    items[place] = last;
    return smallest;
  }
}
