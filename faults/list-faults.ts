/**
 * Which faults a seed means, decided before anything runs: the same seed and count, the same list. What a fault hits (which
 * VM, which agent) is drawn from its own dice and from what is there when its turn comes.
 *
 * A round is one turn of an operator: something changed before, an apply, and what goes wrong while it goes on.
 */
import { chanceOf } from "./chance.ts";

/** By how often they are drawn. */
const BEFORE = {
  edit: 12,
  "break-manifest": 2,
  "fill-data": 3,
  "fill-run": 1,
  "fill-cache": 1,
  "data-read-only": 1,
  "swap-data": 1,
} as const;

const DURING = {
  "kill-agent": 5,
  "kill-agent-in-act": 3,
  "end-agent": 3,
  "freeze-agent": 2,
  "kill-guest": 4,
  "freeze-guest": 1,
  "guest-powers-off": 3,
  "client-vanishes": 10,
  "client-is-slow": 3,
  "act-by-hand": 6,
} as const;

const APPLY = {
  "apply-to-its-end": 6,
  "apply-interrupted": 3,
  "apply-interrupted-twice": 1,
  "command-killed": 2,
  "command-interrupted": 2,
  "clock-ahead": 2,
  "clock-behind": 2,
} as const;

export type FaultKind = keyof typeof BEFORE | keyof typeof DURING | keyof typeof APPLY;

export interface Fault {
  /** From 1. */
  readonly number: number;
  readonly kind: FaultKind;
  /** Seed of what is drawn when its turn comes. */
  readonly dice: number;
}

export interface Round {
  readonly before: readonly Fault[];
  /** An apply that nobody disturbs is no fault: its number is null then. */
  readonly apply: Omit<Fault, "number"> & { readonly number: number | null };
  readonly during: readonly Fault[];
  /** What was put in the way is taken away again after this round; otherwise it stays for the next. */
  readonly mends: boolean;
}

export function listFaults(seed: number, count: number): Round[] {
  const chance = chanceOf(seed);
  const draw = <Kind extends string>(weights: Readonly<Record<Kind, number>>): Kind => {
    const all = Object.entries<number>(weights) as [Kind, number][];
    let left = chance.below(all.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [kind, weight] of all) {
      left -= weight;
      if (left < 0) return kind;
    }
    throw new Error("weights are whole numbers");
  };
  const dice = () => chance.below(2 ** 31);
  const rounds: Round[] = [];
  let drawn = 0;
  while (drawn < count) {
    const fault = (kind: FaultKind): Fault => ({ number: ++drawn, kind, dice: dice() });
    const before = Array.from({ length: Math.min(1 + chance.below(2), count - drawn) }, () => fault(draw(BEFORE)));
    const kind = drawn < count ? draw(APPLY) : "apply-to-its-end";
    const apply = { number: kind === "apply-to-its-end" ? null : ++drawn, kind, dice: dice() };
    const during = Array.from({ length: Math.min(1 + chance.below(5), count - drawn) }, () => fault(draw(DURING)));
    rounds.push({ before, apply, during, mends: chance.often(0.6) });
  }
  return rounds;
}
