/**
 * An order of acts in the making: what was done so far, who still waits for what, and the way back.
 *
 * Whatever fits is done; what does not fit waits at its target until something leaves from there, or until a guest that it must be
 * apart from has left. Each departure wakes only those who may wait for it, so that thousands of moves are ordered in a moment.
 */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, at } from "./act.ts";
import { type Undo, World } from "./world.ts";

/** Who goes first of those who wait for the same node. */
export type Policy = (a: number, b: number) => number;

export class Ordering {
  readonly problem: Problem;
  readonly world: World;
  /** Where each guest is to be in the end; its home where nothing is asked of it. -1: it stays out. */
  readonly targets: Int32Array;
  readonly acts: Act[] = [];
  /** Guests whose act is not done yet. */
  readonly pending = new Set<number>();
  /** Guests that were moved out of the way and have to go home. */
  readonly strayed = new Set<number>();
  /** Take guests. */
  readonly openNodes: readonly number[];
  readonly #undos: Undo[] = [];
  readonly #wishes: ReadonlySet<number>;
  readonly #waitingAt = new Map<number, number[]>();
  readonly #peers: (vm: number) => Iterable<number>;

  constructor(problem: Problem, targets: Int32Array, wishes: readonly number[], policy: Policy) {
    this.problem = problem;
    this.world = new World(problem);
    this.targets = targets;
    this.openNodes = problem.nodes.flatMap(({ closed }, node) => (closed ? [] : [node]));
    this.#wishes = new Set(wishes);
    for (const vm of wishes) this.pending.add(vm);
    const byTarget = Map.groupBy(wishes, (vm) => at(targets, vm));
    for (const [node, vms] of byTarget) this.#waitingAt.set(node, vms.toSorted(policy));
    this.#peers = peersAmong(problem, wishes);
  }

  /** How far it has come: what `rollBack` goes back to. */
  mark(): number {
    return this.acts.length;
  }

  rollBack(mark: number): void {
    while (this.acts.length > mark) {
      const act = this.acts.pop() as Act;
      (this.#undos.pop() as Undo)();
      this.#keepBooks(act.vm);
    }
  }

  perform(act: Act): void {
    this.acts.push(act);
    this.#undos.push(this.world.perform(act));
    this.#keepBooks(act.vm);
  }

  /** Everything that fits, beginning with what waits for these nodes. Null: for any. Returns how many wishes came true. */
  settle(nodes: Iterable<number> | null = null): number {
    const before = this.pending.size;
    const queue = [...(nodes ?? [...this.#waitingAt.keys()].sort((a, b) => a - b))];
    const isQueued = new Set(queue);
    for (let next = 0; next < queue.length; next++) {
      const node = at(queue, next);
      isQueued.delete(node);
      for (const vm of this.#waitingAt.get(node) ?? []) {
        if (!this.pending.has(vm) || !this.#fulfil(vm)) continue;
        const { from } = at(this.acts, this.acts.length - 1);
        for (const wakes of [from, ...Array.from(this.#peers(vm), (peer) => at(this.targets, peer))]) {
          if (isQueued.has(wakes) || !this.#waitingAt.has(wakes)) continue;
          isQueued.add(wakes);
          queue.push(wakes);
        }
      }
    }
    return before - this.pending.size;
  }

  isWanted(node: number): boolean {
    return (this.#waitingAt.get(node) ?? []).some((vm) => this.pending.has(vm));
  }

  /** Sends home whom it finds room for. */
  sendHome(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const vm of [...this.strayed].sort((a, b) => a - b)) {
        const home = at(this.targets, vm);
        if (!this.world.canMove(vm, home)) continue;
        this.perform(this.world.act("move", vm, home));
        moved = true;
      }
    }
  }

  #fulfil(vm: number): boolean {
    const target = at(this.targets, vm);
    if (at(this.world.position, vm) === target && at(this.world.isOff, vm) === 0) {
      if (!this.world.canResize(vm)) return false;
      this.perform(this.world.act("resize", vm, target));
      return true;
    }
    if (at(this.problem.vms, vm).moves === "never" || !this.world.canMove(vm, target)) return false;
    this.perform(this.world.act("move", vm, target));
    return true;
  }

  /** After an act or its undoing: is anything left to be done for this one? */
  #keepBooks(vm: number): void {
    const { home, wants } = at(this.problem.vms, vm);
    const isThere = at(this.world.position, vm) === at(this.targets, vm) && at(this.world.isOff, vm) === 0;
    if (home === at(this.targets, vm)) {
      if (!isThere) this.strayed.add(vm);
      else this.strayed.delete(vm);
    }
    if (!this.#wishes.has(vm)) return;
    if (isThere && this.world.now(vm) === wants) this.pending.delete(vm);
    else this.pending.add(vm);
  }
}

/** Nodes that it may be parked on. */
export function placesFor({ problem, openNodes }: Ordering, vm: number): readonly number[] {
  const { allowed, parkable = allowed } = at(problem.vms, vm);
  return parkable === null ? openNodes : parkable.filter((node) => !at(problem.nodes, node).closed);
}

/**
 * One that has to move anyway may move twice. One that has not is moved only live, and only where it may come back to:
 * nobody's guest is taken down for somebody else's sake.
 */
export function mayLeave({ problem, world, targets }: Ordering, vm: number): boolean {
  const { home, moves } = at(problem.vms, vm);
  if (moves === "never" || at(targets, vm) < 0 || at(world.isOff, vm) === 1) return false;
  if (at(targets, vm) !== home) return true;
  return moves === "live" && !at(problem.nodes, home).closed;
}

/** Of those with wishes: who may wait for this one to leave for another reason than room. */
function peersAmong({ rules, vms }: Problem, wishes: readonly number[]): (vm: number) => Iterable<number> {
  const circles = new Map<number, number[][]>();
  const join = (members: readonly number[], everybody: readonly number[]): void => {
    if (members.length === 0) return;
    for (const vm of everybody) {
      const known = circles.get(vm);
      if (known) known.push([...members]);
      else circles.set(vm, [[...members]]);
    }
  };
  const wishing = new Set(wishes);
  for (const { kind, weight, subjects, others } of rules) {
    if (kind !== "apart" || weight !== null) continue;
    const all = [...new Set([...subjects, ...others])];
    join(
      all.filter((vm) => wishing.has(vm)),
      all,
    );
  }
  const cold = wishes.filter((vm) => at(vms, vm).moves === "cold" && at(vms, vm).group >= 0);
  for (const members of Map.groupBy(cold, (vm) => at(vms, vm).group).values()) join(members, members);
  return (vm) => (circles.get(vm) ?? []).flat();
}
