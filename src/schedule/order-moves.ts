/**
 * Plans with moves: the order that `sequence.ts` finds, in the words of steps.
 *
 *   moves-problem.ts → sequence.ts → [order-moves.ts] → order-steps.ts
 *
 * A guest may take several legs: it is parked until there is room, or, one that nobody asked to move, goes aside and comes back.
 */
import type { NodeName, VmName } from "../model/names.ts";
import type { Placed } from "../placement/place-vms.ts";
import type { Draft } from "../reconcile/draft.ts";
import { moveAsItIs } from "../reconcile/move-as-it-is.ts";
import type { MovesProblem, Part } from "./moves-problem.ts";
import type { InPlace, Sequence, SequencedMove } from "./sequence.ts";

export interface Route {
  /** Where each leg leads, in order; the last is where it stays. */
  readonly legs: readonly NodeName[];
}

/** VM → its route; only of those who move. */
export function routesOf({ problem, parts }: MovesProblem, { moves }: Sequence): ReadonlyMap<VmName, Route> {
  const routes = new Map<VmName, { legs: NodeName[] }>();
  for (const { vm, to } of moves) {
    const name = nameOf(parts[vm] as Part);
    const route = routes.get(name) ?? { legs: [] };
    routes.set(name, route);
    route.legs.push((problem.nodes[to] as { name: string }).name as NodeName);
  }
  return routes;
}

/** Who moves though nobody asked for it: it makes way. */
export const bystandersIn = (
  { parts }: MovesProblem,
  { moves }: Sequence,
): readonly Extract<Part, { kind: "bystander" }>[] => {
  const seen = new Set(moves.map(({ vm }) => vm));
  return parts.filter((part, index) => part.kind === "bystander" && seen.has(index)) as Extract<
    Part,
    { kind: "bystander" }
  >[];
};

export const nameOf = (part: Part): VmName => {
  if (part.kind === "draft") return part.draft.name;
  return part.kind === "bystander" ? part.vm.name : part.placed.homeless.vm.name;
};

/** The first and the last step of what one VM does as one act. */
export interface ActSteps {
  readonly first: string;
  readonly last: string;
  /** Of a move: its own step; left out: it is the first. */
  readonly leg?: string;
}

/** How acts are found among the steps that were made of them. */
export interface StepsOfActs {
  readonly ofMove: (move: SequencedMove) => ActSteps | null;
  readonly ofPart: (part: Part, kind: InPlace["kind"]) => ActSteps | null;
}

/** step id → ids that it waits for, because of room, or because of who may not be together. */
export function waitsOf({ parts }: MovesProblem, sequence: Sequence, steps: StepsOfActs): Map<string, string[]> {
  const waits = new Map<string, string[]>();
  const ofMoves = sequence.moves.map(steps.ofMove);
  const ofPlaces = sequence.inPlace.map(({ vm, kind }) => steps.ofPart(parts[vm] as Part, kind));
  const note = (
    act: ActSteps | null | undefined,
    { after, afterInPlace }: Pick<SequencedMove, "after" | "afterInPlace">,
  ) => {
    if (!act) return;
    const ends = [...after.map((index) => ofMoves[index]), ...afterInPlace.map((index) => ofPlaces[index])];
    const ids = ends.flatMap((end) => (end && end.last !== act.first ? [end.last] : []));
    if (ids.length > 0) waits.set(act.first, [...new Set([...(waits.get(act.first) ?? []), ...ids])]);
  };
  for (const [index, move] of sequence.moves.entries()) note(ofMoves[index], move);
  for (const [index, act] of sequence.inPlace.entries()) note(ofPlaces[index], act);
  return waits;
}

export interface StuckVm {
  readonly name: VmName;
  readonly message: string;
}

/** Whom the sequence leaves as it is, each with what it waits for. */
export function stuckIn({ problem, parts }: MovesProblem, { stuck }: Sequence): StuckVm[] {
  const named = (vm: number): VmName => nameOf(parts[vm] as Part);
  return stuck.flatMap(({ givesWay, waits, vms }) => {
    const why = waits.map(({ vm, node, why: kind, resource, lacks, waitsFor }) => {
      const where = problem.nodes[node]?.name;
      const who =
        waitsFor.length === 0
          ? ""
          : ` until ${listNames(waitsFor.map(named))} ${waitsFor.length === 1 ? "has" : "have"} left`;
      if (kind === "room")
        return `${named(vm)} lacks ${lacks} ${problem.resources[resource] === "cpus" ? "cpus" : "MiB"} on ${where}${who}`;
      if (kind === "apart") return `${named(vm)} may not be on ${where}${who}`;
      return `${named(vm)} cannot move to ${where}`;
    });
    const ring = vms.length > 1 ? ` (it is one of ${listNames(vms.map(named))}, which wait for one another)` : "";
    return [...new Set(givesWay.map(named))].map((name) => ({
      name,
      message: `${name} waits for room that does not come${ring}: ${why.join("; ")}`,
    }));
  });
}

const listNames = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(", ") : `${names.slice(0, 4).join(", ")} and ${names.length - 4} more`;

/** A guest that makes way and has nothing else to do. */
export function draftOfBystander(
  { vm, node, departure }: Extract<Part, { kind: "bystander" }>,
  legs: readonly NodeName[],
  held: Draft["before"],
): Placed {
  if (departure === null || departure.kind === "rooted")
    throw new Error(`${vm.name} would be moved aside and cannot move`);
  const last = legs.at(-1) as NodeName;
  const way = last === node ? `to ${legs.slice(0, -1).join(", then ")} and back` : `to ${legs.join(", then ")}`;
  const text = `it makes way on ${node} for other moves: it goes ${way}`;
  const homeless = moveAsItIs(vm, node, departure, [
    { because: "placement", field: null, from: node, to: last, class: "migrate", text, source: departure.vm.source },
  ]);
  if (homeless === null) throw new Error(`${vm.name} would be moved aside and cannot move`);
  return { homeless, node: last, holds: held };
}
