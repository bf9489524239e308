/**
 * Which guests, moved, would make the fullest nodes less full: the one that gains most first, from the fullest node that anybody can leave.
 *
 *   rebalance.ts → [level-nodes.ts]
 *
 * A move gains what the fuller of its two nodes is less full afterwards. Each that is taken gains at least what was asked for, so the
 * nodes sorted by fullness fall with every move: it ends, and where it ended nothing that gains so much is left to be found.
 */
import { type Amount, fits, minus, NOTHING, plus } from "../model/capacity.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";

export interface LevelNode {
  readonly name: NodeName;
  readonly room: Amount;
  readonly free: Amount;
}

export interface LevelVm {
  readonly name: VmName;
  readonly home: NodeName;
  readonly holds: Amount;
  /** What a move sends. */
  readonly moveMiB: number;
}

export interface Level {
  /** Where they end, of those who end elsewhere than at home; sorted by name. */
  readonly moves: readonly LevelMove[];
  /** How full nodes are afterwards, 0 to 1. */
  readonly after: ReadonlyMap<NodeName, number>;
  readonly before: ReadonlyMap<NodeName, number>;
}

export interface LevelMove {
  readonly vm: VmName;
  readonly from: NodeName;
  readonly to: NodeName;
}

/** Whether this one may go there, with everybody where they are by then. */
export type MayGo = (vm: VmName, to: NodeName, homes: ReadonlyMap<VmName, NodeName>) => boolean;

/** `minGain`: 0 to 1. */
export function levelNodes(nodes: readonly LevelNode[], vms: readonly LevelVm[], minGain: number, mayGo: MayGo): Level {
  return new Leveller(nodes, vms, minGain, mayGo).run();
}

/** Rounding must not make a move out of nothing. */
const EPSILON = 1e-9;

class Leveller {
  readonly #nodes: readonly LevelNode[];
  readonly #vms: readonly LevelVm[];
  readonly #minGain: number;
  readonly #mayGo: MayGo;
  readonly #free: Map<NodeName, Amount>;
  readonly #roomOf: ReadonlyMap<NodeName, Amount>;
  readonly #homes: Map<VmName, NodeName>;
  readonly #on = new Map<NodeName, Set<LevelVm>>();

  constructor(nodes: readonly LevelNode[], vms: readonly LevelVm[], minGain: number, mayGo: MayGo) {
    this.#nodes = nodes;
    this.#vms = vms;
    this.#minGain = Math.max(minGain, EPSILON);
    this.#mayGo = mayGo;
    this.#free = new Map(nodes.map(({ name, free }) => [name, free]));
    this.#roomOf = new Map(nodes.map(({ name, room }) => [name, room]));
    this.#homes = new Map(vms.map(({ name, home }) => [name, home]));
    for (const { name } of nodes) this.#on.set(name, new Set());
    for (const vm of vms) this.#on.get(vm.home)?.add(vm);
  }

  run(): Level {
    const before = this.#fullnesses();
    while (this.#step());
    const moves = this.#vms.flatMap(({ name, home }) => {
      const to = this.#homes.get(name) as NodeName;
      return to === home ? [] : [{ vm: name, from: home, to }];
    });
    return { moves: moves.sort((a, b) => byName(a.vm, b.vm)), before, after: this.#fullnesses() };
  }

  #fullnesses(): Map<NodeName, number> {
    return new Map(this.#nodes.map(({ name }) => [name, this.#fullness(name)]));
  }

  #step(): boolean {
    const full = this.#fullnesses();
    const byFullness = [...full].sort((a, b) => b[1] - a[1] || byName(a[0], b[0]));
    const emptiest = [...byFullness].reverse();
    for (const [from, fullness] of byFullness) {
      // Nobody is emptier by as much.
      if (fullness - (emptiest[0]?.[1] ?? fullness) < this.#minGain) return false;
      const best = this.#bestFrom(from, fullness, emptiest);
      if (best === null) continue;
      this.#move(best.vm, from, best.to);
      return true;
    }
    return false;
  }

  #bestFrom(
    from: NodeName,
    fullness: number,
    emptiest: readonly (readonly [NodeName, number])[],
  ): { readonly vm: LevelVm; readonly to: NodeName } | null {
    const found: { readonly vm: LevelVm; readonly to: NodeName; readonly gain: number; readonly then: number }[] = [];
    for (const vm of this.#on.get(from) ?? []) {
      const left = this.#fullness(from, minus(NOTHING, vm.holds));
      if (fullness - left < this.#minGain) continue;
      for (const [to, was] of emptiest) {
        if (fullness - was < this.#minGain) break;
        if (to === from || !fits(vm.holds, this.#free.get(to) ?? NOTHING)) continue;
        const then = this.#fullness(to, vm.holds);
        const gain = fullness - Math.max(left, then);
        if (gain >= this.#minGain) found.push({ vm, to, gain, then });
      }
    }
    found.sort(
      (a, b) =>
        b.gain - a.gain ||
        a.then - b.then ||
        a.vm.moveMiB - b.vm.moveMiB ||
        byName(a.vm.name, b.vm.name) ||
        byName(a.to, b.to),
    );
    return found.find(({ vm, to }) => this.#mayGo(vm.name, to, this.#homes)) ?? null;
  }

  #move(vm: LevelVm, from: NodeName, to: NodeName): void {
    this.#free.set(from, plus(this.#free.get(from) ?? NOTHING, vm.holds));
    this.#free.set(to, minus(this.#free.get(to) ?? NOTHING, vm.holds));
    this.#on.get(from)?.delete(vm);
    this.#on.get(to)?.add(vm);
    this.#homes.set(vm.name, to);
  }

  /** By its scarcer resource, with so much more on it. */
  #fullness(node: NodeName, more: Amount = NOTHING): number {
    const room = this.#roomOf.get(node) ?? NOTHING;
    const free = minus(this.#free.get(node) ?? NOTHING, more);
    return Math.max(1 - free.cpus / Math.max(1, room.cpus), 1 - free.memoryMiB / Math.max(1, room.memoryMiB));
  }
}
