/**
 * Which of the steps that could start does start, under limits per node and in all: always the first in plan order
 * whose node has room, so that the same plan begins in the same order every time.
 *
 * Each node keeps its own ready steps; `heads` holds the first of each node that has room. Entries of `heads` are
 * not removed when they go out of date but recognised as such when they come up: every add and release puts in at most one,
 * so all of n steps cost O(n log n), however they are spread over nodes.
 */
import type { NodeName } from "../model/names.ts";
import { NumberHeap } from "./number-heap.ts";

export interface Limits {
  /** Steps in flight over all nodes. At least 1. */
  readonly total: number;
  /** Steps in flight on one node. At least 1. */
  readonly perNode: number;
}

interface Lane {
  readonly ready: NumberHeap;
  inFlight: number;
}

export class ReadyQueue {
  readonly #limits: Limits;
  readonly #laneOf: readonly Lane[];
  readonly #heads = new NumberHeap();
  #inFlight = 0;

  /** `nodes`: for each step, the node it happens on. */
  constructor(nodes: readonly NodeName[], limits: Limits) {
    if (!(limits.total >= 1 && limits.perNode >= 1)) throw new RangeError("limits of an apply are at least 1");
    const lanes = new Map<NodeName, Lane>();
    this.#limits = limits;
    this.#laneOf = nodes.map((node) => {
      const lane = lanes.get(node) ?? { ready: new NumberHeap(), inFlight: 0 };
      lanes.set(node, lane);
      return lane;
    });
  }

  add(step: number): void {
    const lane = this.#lane(step);
    lane.ready.add(step);
    this.#offer(lane);
  }

  /** The step to start now, counted as in flight from here on; null: none may. */
  take(): number | null {
    if (this.#inFlight >= this.#limits.total) return null;
    for (let head = this.#heads.takeSmallest(); head !== undefined; head = this.#heads.takeSmallest()) {
      const lane = this.#lane(head);
      if (lane.ready.smallest !== head || !this.#hasRoom(lane)) continue;
      lane.ready.takeSmallest();
      lane.inFlight++;
      this.#inFlight++;
      this.#offer(lane);
      return head;
    }
    return null;
  }

  /** The step is no longer in flight. */
  release(step: number): void {
    const lane = this.#lane(step);
    lane.inFlight--;
    this.#inFlight--;
    this.#offer(lane);
  }

  #offer(lane: Lane): void {
    if (lane.ready.smallest !== undefined && this.#hasRoom(lane)) this.#heads.add(lane.ready.smallest);
  }

  #hasRoom(lane: Lane): boolean {
    return lane.inFlight < this.#limits.perNode;
  }

  #lane(step: number): Lane {
    const lane = this.#laneOf[step];
    if (!lane) throw new RangeError(`there is no step number ${step}`);
    return lane;
  }
}
