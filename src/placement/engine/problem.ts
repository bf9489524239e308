/**
 * A fleet as numbers: what `placement/` and `schedule/` reckon with. VMs, nodes and domains are indices, so that thousands of
 * them can be tried; names come back only when something is told. Made of desired and observed state by `to-problem.ts`.
 */

export interface Problem {
  /** What amounts count, in this order: `["cpus", "memoryMiB"]`. */
  readonly resources: readonly string[];
  /** Sorted by name, as are the VMs: whoever looks for the first of equals finds the same one always. */
  readonly nodes: readonly ProblemNode[];
  readonly vms: readonly ProblemVm[];
  readonly rules: readonly Rule[];
  readonly groups: readonly ProblemGroup[];
}

/** One number for each of `Problem.resources`. */
export type Amounts = readonly number[];

export interface ProblemNode {
  readonly name: string;
  readonly room: Amounts;
  /** Takes nobody who is not there already: cordoned, or silent. */
  readonly closed: boolean;
  /** Everybody is to leave: in maintenance. Implies `closed`. */
  readonly leaving: boolean;
  /** Too full at the start, it may stay as full: nobody leaves for that alone, and nobody comes who takes of what it lacks. */
  readonly mayStayOverfull?: boolean;
  /** What migrations may use of its link, each way. */
  readonly upMiBps: number;
  readonly downMiBps: number;
}

export interface ProblemVm {
  readonly name: string;
  /** Index of the node that has it; -1: it is new. */
  readonly home: number;
  /** What it takes at home until it has left. Zero for one that is off. */
  readonly holds: Amounts;
  /** What it takes where it ends up: from the start of its move on, or at home at the end of all. */
  readonly wants: Amounts;
  /** Nodes that it may end up on, sorted; null: any. */
  readonly allowed: readonly number[] | null;
  /** By node, how much it would rather be there than elsewhere, as `Rule.weight` counts. Left out: nowhere. */
  readonly likes?: readonly number[];
  /** Nodes that it may be parked on while it is on its way, sorted; null: any. Left out: those of `allowed`. A pin says where it ends, not that it may be nowhere else. */
  readonly parkable?: readonly number[] | null;
  /** It is deleted in the end: who may not be with it does not come, but need not leave for it either. */
  readonly goes?: boolean;
  /** How it leaves home. `never`: it stays, or is new. */
  readonly moves: "live" | "cold" | "never";
  /** What a move sends: memory, and disks where they move along. */
  readonly moveMiB: number;
  /** How fast a running guest makes sent memory stale. */
  readonly dirtyMiBps: number;
  /** As its own last moves had it, with its links for itself; `moveMiB` is then what they sent. Left out: nothing is known. */
  readonly lasts?: { readonly seconds: number; readonly downtimeMs: number };
  /** Index into `groups`; -1: none. */
  readonly group: number;
}

/**
 * - `apart`: no domain holds a subject and one of the others (itself excepted).
 * - `together`: each subject's domain holds one of the others; the first of its kind, if it is one of the others itself, may go anywhere.
 * - `spread`: no domain holds more than `skew` subjects beyond the emptiest domain that some subject may live in.
 *
 * One that is broken at the start is forgiven, pair by pair, until one of the pair moves.
 */
export interface Rule {
  readonly kind: "apart" | "together" | "spread";
  readonly subjects: readonly number[];
  /** Not used by `spread`. */
  readonly others: readonly number[];
  /** Node → its domain under this rule; -1: it is in none. */
  readonly domainOf: readonly number[];
  readonly skew: number;
  /** Of `spread`: the domains that it is measured by. Left out: those that some subject may live in. */
  readonly counting?: readonly number[];
  /** Null: it must hold. Otherwise the cost of each pair (or VM beyond the skew) that breaks it. */
  readonly weight: number | null;
  /** For people: `app=web per rack`. */
  readonly text: string;
}

export interface ProblemGroup {
  readonly name: string;
  /** How many members may be down at once; a live move takes nobody down, a cold one does. */
  readonly maxUnavailable: number;
}
