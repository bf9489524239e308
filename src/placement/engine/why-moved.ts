/** Why each VM that leaves its home does so, read off the end: nothing needs to be remembered while seats are looked for. */
import type { Seats } from "./seats.ts";
import type { LaidRule } from "./terrain.ts";

/**
 * - `leaving`: everybody leaves its node.
 * - `allowed`: it may not live there.
 * - `overfull`: its node would be too full.
 * - `rule`: a required rule did not hold there, or would not with the others where they go; `mates`: whom it was not to be with there.
 * - `makesRoom`: for those who come to its node, or whom a rule keeps away from where it was.
 */
export type WhyMove =
  | { readonly kind: "leaving" | "allowed" | "overfull" }
  | { readonly kind: "rule"; readonly rule: number; readonly mates: readonly number[] }
  | { readonly kind: "makesRoom"; readonly for: readonly number[] };

export interface Move {
  readonly vm: number;
  readonly from: number;
  readonly to: number;
  readonly why: WhyMove;
}

export function whyMoved(seats: Seats): Move[] {
  const { vms, home } = seats.terrain;
  const overfull = overfullAtStart(seats);
  const moves: Move[] = [];
  for (let vm = 0; vm < vms; vm++) {
    const [from, to] = [home[vm]!, seats.at[vm]!];
    if (from >= 0 && to !== from) moves.push({ vm, from, to, why: whyOne(seats, vm, overfull) });
  }
  return moves;
}

/** Nodes without room for what those who may stay there want. */
function overfullAtStart({ terrain }: Seats): ReadonlySet<number> {
  const { vms, nodes, resources, home, room, wants, allowed, problem } = terrain;
  const free = Float64Array.from(room);
  for (let vm = 0; vm < vms; vm++) {
    if (home[vm]! < 0 || allowed[vm]![home[vm]!] === 0) continue;
    for (let r = 0; r < resources; r++) free[home[vm]! * resources + r]! -= wants[vm * resources + r]!;
  }
  const overfull = new Set<number>();
  for (let at = 0; at < nodes * resources; at++) {
    const node = Math.floor(at / resources);
    if (free[at]! < 0 && problem.nodes[node]?.mayStayOverfull !== true) overfull.add(node);
  }
  return overfull;
}

function whyOne(seats: Seats, vm: number, overfull: ReadonlySet<number>): WhyMove {
  const { home, leaving, allowed, requiredOf } = seats.terrain;
  const from = home[vm]!;
  if (leaving[from] === 1) return { kind: "leaving" };
  if (allowed[vm]![from] === 0) return { kind: "allowed" };
  if (overfull.has(from)) return { kind: "overfull" };
  const broken = requiredOf[vm]!.find((laid) => {
    if (laid.rule.kind === "together") return seats.aloneAtStart(laid).includes(vm) || breaksAtHome(seats, vm, laid);
    if (laid.rule.kind === "spread")
      return seats.crowdedAtStart(laid).includes(laid.domainOf[from]!) || breaksAtHome(seats, vm, laid);
    return seats.matesAtStart(laid, vm).length > 0;
  });
  if (broken !== undefined) {
    const mates = broken.rule.kind === "apart" ? seats.matesAtStart(broken, vm) : [];
    return { kind: "rule", rule: broken.index, mates: [...new Set(mates)].sort((a, b) => a - b) };
  }
  const came = new Set(seats.on(from).filter((each) => home[each] !== from));
  for (const each of seats.blockers(vm, from)) if (seats.at[each] !== home[each]) came.add(each);
  return { kind: "makesRoom", for: [...came].sort((a, b) => a - b) };
}

/** Whether a rule that holds now would not, were it still at home. */
function breaksAtHome(seats: Seats, vm: number, laid: LaidRule): boolean {
  const now = seats.at[vm]!;
  seats.move(vm, seats.terrain.home[vm]!);
  const isBroken = seats.isBroken(laid);
  seats.move(vm, now);
  return isBroken;
}
