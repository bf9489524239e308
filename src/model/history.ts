/**
 * How long things took lately, by VM: kept by agents, reported, and read by who predicts. Of each kind the last three; of those
 * the median counts, so that one bad night is not what is expected from then on.
 */
import { byName, type Instant, type VmName } from "./names.ts";

export const SAMPLES_KEPT = 3;

/** Left out, of each kind: none yet. Oldest first. */
export interface VmHistory {
  readonly name: VmName;
  readonly moves?: readonly MoveSample[];
  /** From the order until it runs, and is ready where its spec says what that is. */
  readonly boots?: readonly Sample[];
  readonly stops?: readonly Sample[];
}

export interface Sample {
  readonly at: Instant;
  readonly seconds: number;
}

/** Kept by the node that the guest left. */
export interface MoveSample extends Sample {
  readonly mode: "live" | "cold";
  /** Memory and disks. */
  readonly sentMiB: number;
  /** How long the guest stood still; null: its hypervisor does not say. */
  readonly downtimeMs: number | null;
  /** What the guest had then. */
  readonly memoryMiB: number;
}

/** What several nodes remember of the same VMs, as one. */
export function joinHistories(histories: Iterable<readonly VmHistory[]>): ReadonlyMap<VmName, VmHistory> {
  const joined = new Map<VmName, VmHistory>();
  for (const history of histories)
    for (const each of history) {
      const known = joined.get(each.name);
      joined.set(each.name, known === undefined ? each : joinTwo(known, each));
    }
  return joined;
}

function joinTwo(one: VmHistory, other: VmHistory): VmHistory {
  const lists = { moves: latest(one.moves, other.moves), boots: latest(one.boots, other.boots) };
  return { name: one.name, ...lists, stops: latest(one.stops, other.stops) };
}

const latest = <Kind extends Sample>(one: readonly Kind[] = [], other: readonly Kind[] = []): readonly Kind[] =>
  [...one, ...other].sort((a, b) => byName(a.at, b.at)).slice(-SAMPLES_KEPT);

/** The middle one; of two the larger. Null: there are none. */
export function medianOf(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
