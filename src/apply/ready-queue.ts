/**
 * Which of the steps that could start does start, under limits per node and in all: always the first in plan order
 * whose limits leave room, so that the same plan begins in the same order every time.
 *
 * Steps under the same limits wait in one lane; `heads` holds the first of each lane that has room. Entries of `heads` are
 * not removed when they go out of date but recognised as such when they come up: every add and release puts in few,
 * so all of n steps cost O(n log n), however they are spread over nodes. Moves wait apart from others where they have limits of
 * their own: a move that has to wait keeps nobody else waiting.
 */
import type { NodeName } from "../model/names.ts";
import { NumberHeap } from "./number-heap.ts";

export interface Limits {
  /** Steps in flight over all nodes. At least 1. */
  readonly total: number;
  /** Steps in flight on one node. At least 1. */
  readonly perNode: number;
  /** Guests that move at the same time: in all, and with one node at either end. At least 1. Left out: as other steps. */
  readonly moves?: { readonly total: number; readonly perNode: number };
}

/** What of a step its limits depend on. */
export interface LimitedStep {
  readonly node: NodeName;
  /** Of one that moves a guest. */
  readonly fromNode?: NodeName;
}

interface Gate {
  readonly most: number;
  inFlight: number;
  readonly lanes: Lane[];
}

interface Lane {
  readonly ready: NumberHeap;
  readonly gates: readonly Gate[];
}

export class ReadyQueue {
  readonly #limits: Limits;
  readonly #laneOf: readonly Lane[];
  readonly #heads = new NumberHeap();
  #inFlight = 0;

  constructor(steps: readonly LimitedStep[], limits: Limits) {
    const { moves = limits } = limits;
    if (!(Math.min(limits.total, limits.perNode, moves.total, moves.perNode) >= 1))
      throw new RangeError("limits of an apply are at least 1");
    this.#limits = limits;
    this.#laneOf = toLanes(steps, limits);
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
      if (lane.ready.smallest !== head || !hasRoom(lane)) continue;
      lane.ready.takeSmallest();
      for (const gate of lane.gates) gate.inFlight++;
      this.#inFlight++;
      this.#offer(lane);
      return head;
    }
    return null;
  }

  /** The step is no longer in flight. */
  release(step: number): void {
    const lane = this.#lane(step);
    this.#inFlight--;
    const opened = lane.gates.filter((gate) => gate.inFlight-- === gate.most);
    this.#offer(lane);
    for (const gate of opened) for (const each of gate.lanes) if (each !== lane) this.#offer(each);
  }

  #offer(lane: Lane): void {
    if (lane.ready.smallest !== undefined && hasRoom(lane)) this.#heads.add(lane.ready.smallest);
  }

  #lane(step: number): Lane {
    const lane = this.#laneOf[step];
    if (lane === undefined) throw new RangeError(`there is no step ${step}`);
    return lane;
  }
}

const hasRoom = ({ gates }: Lane): boolean => gates.every(({ inFlight, most }) => inFlight < most);

function toLanes(steps: readonly LimitedStep[], { perNode, moves }: Limits): Lane[] {
  const gates = new Map<string, Gate>();
  const lanes = new Map<string, Lane>();
  const gateOf = (name: string, most: number): Gate => {
    const gate = gates.get(name) ?? { most, inFlight: 0, lanes: [] };
    gates.set(name, gate);
    return gate;
  };
  return steps.map(({ node, fromNode }) => {
    const isMove = moves !== undefined && fromNode !== undefined;
    const name = isMove ? `${fromNode} ${node}` : node;
    const known = lanes.get(name);
    if (known !== undefined) return known;
    const own = [gateOf(node, perNode)];
    if (isMove) {
      for (const end of new Set([fromNode, node])) own.push(gateOf(`moves ${end}`, moves.perNode));
      own.push(gateOf("moves", moves.total));
    }
    const lane = { ready: new NumberHeap(), gates: own };
    for (const gate of own) gate.lanes.push(lane);
    lanes.set(name, lane);
    return lane;
  });
}
