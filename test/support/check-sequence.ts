/**
 * What a sequence promises, worked out from the problem and the sequence alone: its acts are begun and ended in an order by chance that
 * its `after` allow, and at every instant everybody is counted.
 */
import type { Problem } from "../../src/placement/engine/problem.ts";
import type { InPlace, Sequence, SequencedMove } from "../../src/schedule/sequence.ts";

const SLACK = 1e-6;

interface Doing {
  readonly name: string;
  readonly vm: number;
  readonly from: number;
  readonly to: number;
  readonly kind: "move" | InPlace["kind"];
  readonly waitsFor: readonly number[];
}

/** Begun as much side by side as can be, one after another, or as it comes. */
export type Haste = "eager" | "lazy" | "any";

export function faultsOfOrder(
  problem: Problem,
  homes: readonly number[],
  sequence: Sequence,
  random: () => number,
  haste: Haste,
): string[] {
  const doings = doingsOf(problem, sequence);
  const fleet = new Fleet(problem);
  const [begun, ended] = [new Set<number>(), new Set<number>()];
  while (ended.size < doings.length) {
    const startable = doings.flatMap((doing, index) =>
      !begun.has(index) && doing.waitsFor.every((each) => ended.has(each)) ? [index] : [],
    );
    const running = [...begun].filter((index) => !ended.has(index));
    if (startable.length + running.length === 0) return [...fleet.faults, "what is left waits for itself"];
    const begins =
      running.length === 0 || (startable.length > 0 && (haste === "eager" || (haste === "any" && random() < 0.5)));
    const some = begins ? startable : running;
    const index = some[Math.floor(random() * some.length)]!;
    if (begins) {
      begun.add(index);
      fleet.begin(doings[index]!);
    } else {
      ended.add(index);
      fleet.end(doings[index]!);
    }
  }
  return [...fleet.faults, ...fleet.faultsAtTheEnd(homes, new Set(sequence.stuck.flatMap(({ givesWay }) => givesWay)))];
}

/** Times, links, and the sums that are told of them. */
export function faultsOfTimes(problem: Problem, sequence: Sequence): string[] {
  const faults: string[] = [];
  const all: (SequencedMove | InPlace)[] = [...sequence.moves, ...sequence.inPlace];
  const nameOf = ({ vm }: { readonly vm: number }) => problem.vms[vm]!.name;
  for (const each of all) {
    if (!(each.startS >= 0 && each.endS >= each.startS && each.endS <= sequence.makespanS + SLACK))
      faults.push(`${nameOf(each)} is done from ${each.startS} to ${each.endS} of ${sequence.makespanS}`);
    for (const before of [
      ...each.after.map((index) => sequence.moves[index]),
      ...each.afterInPlace.map((index) => sequence.inPlace[index]),
    ])
      if (before === undefined || before.endS > each.startS + SLACK)
        faults.push(`${nameOf(each)} begins at ${each.startS}, before the end of what it waits for`);
  }
  const latest = all.reduce((most, { endS }) => Math.max(most, endS), 0);
  if (Math.abs(latest - sequence.makespanS) > SLACK) faults.push(`all ends at ${latest}, not ${sequence.makespanS}`);
  for (const [node, { name, upMiBps, downMiBps }] of problem.nodes.entries())
    for (const [end, most] of [
      ["from", upMiBps],
      ["to", downMiBps],
    ] as const) {
      const mine = sequence.moves.filter((move) => move[end] === node);
      for (const { startS } of mine) {
        const rate = mine
          .filter((other) => other.startS <= startS && startS < other.endS)
          .reduce((sum, other) => sum + other.sentMiB / (other.endS - other.startS), 0);
        if (rate > most * 1.001) faults.push(`at ${startS} ${rate} MiB/s ${end} ${name}, which has ${most}`);
      }
    }
  return faults;
}

function doingsOf({ vms }: Problem, { moves, inPlace }: Sequence): Doing[] {
  const waitsFor = ({ after, afterInPlace }: SequencedMove | InPlace): number[] => [
    ...after,
    ...afterInPlace.map((index) => moves.length + index),
  ];
  return [
    ...moves.map((move): Doing => {
      const name = `${vms[move.vm]!.name} ${move.from}→${move.to}`;
      return { name, kind: "move", vm: move.vm, from: move.from, to: move.to, waitsFor: waitsFor(move) };
    }),
    ...inPlace.map((each): Doing => {
      const name = `${each.kind} of ${vms[each.vm]!.name} on ${each.node}`;
      return { name, kind: each.kind, vm: each.vm, from: each.node, to: each.node, waitsFor: waitsFor(each) };
    }),
  ];
}

/** Who is where, at both ends while it moves, and who is down. */
class Fleet {
  readonly faults: string[] = [];
  readonly #problem: Problem;
  readonly #seats: { vm: number; node: number; takes: readonly number[]; isOriginal: boolean }[] = [];
  readonly #state: { at: number; takes: readonly number[]; isBusy: boolean; isStopped: boolean }[];
  readonly #down = new Set<number>();

  constructor(problem: Problem) {
    this.#problem = problem;
    this.#state = problem.vms.map(({ home, holds }) => ({ at: home, takes: holds, isBusy: false, isStopped: false }));
    for (const [vm, { home, holds }] of problem.vms.entries())
      if (home >= 0) this.#seats.push({ vm, node: home, takes: holds, isOriginal: true });
  }

  begin({ kind, vm, from, to, name }: Doing): void {
    const state = this.#state[vm]!;
    const { wants, holds, moves, home, allowed } = this.#problem.vms[vm]!;
    if (state.isBusy) this.faults.push(`${name}: it is busy already`);
    if (kind !== "arrive" && state.at !== from) this.faults.push(`${name}: it is on ${state.at}`);
    state.isBusy = true;
    const runs = state.takes.some((amount) => amount > 0);
    if (kind === "move" || kind === "arrive") {
      if (kind === "move" && moves === "never") this.faults.push(`${name}: it may not move`);
      if (to !== home && allowed !== null && !allowed.includes(to)) this.faults.push(`${name}: it may not be there`);
      if (this.#problem.nodes[to]!.closed) this.faults.push(`${name}: the node is closed`);
      this.#seats.push({ vm, node: to, takes: wants, isOriginal: false });
      this.#checkApart(vm, to, name);
    }
    if (kind === "resize")
      this.#grow(
        vm,
        to,
        wants.map((want, resource) => Math.max(0, want - holds[resource]!)),
      );
    const taken =
      kind === "stop" ? [] : kind === "resize" ? wants.map((want, resource) => want - holds[resource]!) : wants;
    this.#checkRoom(to, taken, name);
    if (kind === "stop" && (moves !== "cold" || !runs)) this.faults.push(`${name}: it may not be stopped`);
    if ((kind === "stop" || (kind === "move" && moves === "cold")) && (runs || state.isStopped)) {
      this.#down.add(vm);
      this.#checkGroup(vm, name);
    }
  }

  end({ kind, vm, from, to }: Doing): void {
    const state = this.#state[vm]!;
    const { wants } = this.#problem.vms[vm]!;
    state.isBusy = false;
    const seat = this.#seats.findIndex((each) => each.vm === vm && each.node === from);
    if (kind === "move") this.#seats.splice(seat, 1);
    if (kind === "stop") this.#seats[seat] = { ...this.#seats[seat]!, takes: wants.map(() => 0) };
    if (kind === "resize") this.#seats[seat] = { ...this.#seats[seat]!, takes: wants };
    if (kind === "stop") state.isStopped = true;
    if (kind === "move") {
      state.isStopped = false;
      this.#down.delete(vm);
    }
    state.takes = kind === "stop" ? wants.map(() => 0) : wants;
    state.at = to;
  }

  faultsAtTheEnd(homes: readonly number[], gaveWay: ReadonlySet<number>): string[] {
    return this.#state.flatMap(({ at, takes, isStopped }, vm) => {
      const { name, home, wants } = this.#problem.vms[vm]!;
      const wanted = gaveWay.has(vm) || homes[vm]! < 0 ? home : homes[vm]!;
      if (at !== wanted) return [`in the end ${name} is on ${at} and not on ${wanted}`];
      if (isStopped) return [`in the end ${name} is stopped`];
      const gets = wants.every((want, resource) => want === takes[resource]);
      return gets || gaveWay.has(vm) || wanted < 0 || homes[vm]! < 0
        ? []
        : [`in the end ${name} has ${takes} and not ${wants}`];
    });
  }

  #grow(vm: number, node: number, more: readonly number[]): void {
    const seat = this.#seats.findIndex((each) => each.vm === vm && each.node === node);
    const { takes, ...rest } = this.#seats[seat]!;
    this.#seats[seat] = { ...rest, takes: takes.map((amount, resource) => amount + more[resource]!) };
  }

  #checkRoom(node: number, taken: readonly number[], name: string): void {
    const { room } = this.#problem.nodes[node]!;
    for (const [resource, most] of room.entries()) {
      if (!(taken[resource]! > 0)) continue;
      const used = this.#seats.reduce((sum, seat) => sum + (seat.node === node ? seat.takes[resource]! : 0), 0);
      if (used > most + SLACK)
        this.faults.push(`${name}: ${used} of ${this.#problem.resources[resource]}, room for ${most}`);
    }
  }

  #checkApart(vm: number, node: number, name: string): void {
    for (const rule of this.#problem.rules) {
      if (rule.kind !== "apart" || rule.weight !== null) continue;
      const domain = rule.domainOf[node]!;
      if (domain < 0) continue;
      for (const seat of this.#seats) {
        if (seat.vm === vm || rule.domainOf[seat.node] !== domain) continue;
        const isPair = (a: number, b: number) => rule.subjects.includes(a) && rule.others.includes(b);
        if (isPair(vm, seat.vm) || isPair(seat.vm, vm))
          this.faults.push(`${name}: together with ${this.#problem.vms[seat.vm]!.name} (${rule.text})`);
      }
    }
  }

  #checkGroup(vm: number, name: string): void {
    const { group } = this.#problem.vms[vm]!;
    if (group < 0) return;
    const down = [...this.#down].filter((each) => this.#problem.vms[each]!.group === group).length;
    if (down > this.#problem.groups[group]!.maxUnavailable) this.faults.push(`${name}: ${down} of its group are down`);
  }
}
