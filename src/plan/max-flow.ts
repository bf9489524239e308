/**
 * The most profitable choice of projects that need tools (a maximum weight closure), by Edmonds and Karp's maximum flow.
 * `check-capacity.ts` asks with it for the worst moment that an order of steps allows.
 */

export interface Project {
  readonly profit: number;
  /** Indexes of the tools it needs. */
  readonly needs: readonly number[];
}

/** Highest sum of profits of chosen projects less the costs of the tools they need; choosing none is 0. */
export function bestClosure(projects: readonly Project[], costs: readonly number[]): number {
  const source = 0;
  const sink = 1;
  const projectNode = (index: number) => 2 + index;
  const toolNode = (index: number) => 2 + projects.length + index;
  const capacity: Map<number, number>[] = Array.from({ length: 2 + projects.length + costs.length }, () => new Map());
  const connect = (from: number, to: number, amount: number) => {
    capacity[from]?.set(to, (capacity[from]?.get(to) ?? 0) + amount);
    if (!capacity[to]?.has(from)) capacity[to]?.set(from, 0);
  };
  let total = 0;
  for (const [index, { profit, needs }] of projects.entries()) {
    total += profit;
    connect(source, projectNode(index), profit);
    for (const tool of needs) connect(projectNode(index), toolNode(tool), Number.POSITIVE_INFINITY);
  }
  for (const [index, cost] of costs.entries()) connect(toolNode(index), sink, cost);
  return total - maxFlow(capacity, source, sink);
}

function maxFlow(capacity: readonly Map<number, number>[], source: number, sink: number): number {
  let flow = 0;
  for (;;) {
    const cameFrom = new Map<number, number>([[source, source]]);
    const queue = [source];
    for (let node = queue.shift(); node !== undefined && !cameFrom.has(sink); node = queue.shift()) {
      for (const [next, left] of capacity[node] ?? []) {
        if (left > 0 && !cameFrom.has(next)) {
          cameFrom.set(next, node);
          queue.push(next);
        }
      }
    }
    if (!cameFrom.has(sink)) return flow;
    let amount = Number.POSITIVE_INFINITY;
    for (let node = sink; node !== source; node = cameFrom.get(node) ?? source) {
      amount = Math.min(amount, capacity[cameFrom.get(node) ?? source]?.get(node) ?? 0);
    }
    for (let node = sink; node !== source; node = cameFrom.get(node) ?? source) {
      const from = cameFrom.get(node) ?? source;
      capacity[from]?.set(node, (capacity[from]?.get(node) ?? 0) - amount);
      capacity[node]?.set(from, (capacity[node]?.get(from) ?? 0) + amount);
    }
    flow += amount;
  }
}
