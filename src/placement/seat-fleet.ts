/**
 * Everybody at once, where one after another leaves somebody without a seat, or a rule does not hold: who may move is moved for
 * those who need it, with the fewest bytes.
 *
 *   neighbours.ts, destinations.ts → [seat-fleet.ts] → assign.ts, explain-conflict.ts
 */
import { type Amount, excess, heldBy, isNothing, larger, NOTHING } from "../model/capacity.ts";
import type { DesiredVm } from "../model/desired-state.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { Homeless } from "../reconcile/draft.ts";
import { type Able, destinationsAmong } from "./destinations.ts";
import { type Seated, seatAll } from "./engine/assign.ts";
import type { Conflict, Failure } from "./engine/explain-conflict.ts";
import type { Problem } from "./engine/problem.ts";
import type { Move } from "./engine/why-moved.ts";
import { boundsOf } from "./homeless-bounds.ts";
import { type Neighbour, NO_RULES } from "./neighbours.ts";
import { findCandidates, holdingsOf, type PlacingRules } from "./place-vms.ts";
import type { TooBig } from "./room.ts";
import { sentMiB } from "./sent-mib.ts";
import type { FleetSpread } from "./spread-book.ts";
import { type Inhabitant, toProblem } from "./to-problem.ts";
import type { Site } from "./what-speaks-against.ts";

export interface FleetToSeat {
  readonly sites: readonly Site[];
  readonly spreads: readonly FleetSpread[];
  readonly rules: PlacingRules;
  readonly homeless: readonly Homeless[];
  /** Those who want more than their node has left: room is made for them there, or they go elsewhere if they can. */
  readonly tooBig: readonly (TooBig & { readonly mover: Homeless | null })[];
  /** All others who have a home. */
  readonly neighbours: readonly Neighbour[];
  /** How one of them could go elsewhere; null: it stays. */
  readonly departureOf: (neighbour: Neighbour) => Able | null;
  /** Whether it is one that this plan is about. */
  readonly isAsked: (neighbour: Neighbour) => boolean;
}

export type Sitter =
  | { readonly kind: "homeless"; readonly homeless: Homeless }
  | {
      readonly kind: "grows";
      readonly tooBig: FleetToSeat["tooBig"][number];
      readonly neighbour: Pick<Neighbour, "labels" | "placement">;
    }
  | {
      readonly kind: "neighbour";
      readonly neighbour: Neighbour;
      readonly able: Able | null;
      readonly asked: DesiredVm | null;
    };

export interface SeatedFleet {
  readonly problem: Problem;
  /** By VM of the problem. */
  readonly sitters: readonly Sitter[];
  readonly nodeOf: (vm: number) => NodeName | null;
  readonly moves: readonly Move[];
  readonly failures: readonly Failure[];
  /** Of those who want to grow, whom no room was made for. */
  readonly ungrown: ReadonlySet<VmName>;
  readonly explain: (some: readonly Failure[]) => readonly Conflict[];
  /** Of one of `ungrown`. */
  readonly explainGrowth: (name: VmName) => Conflict | null;
}

/** Of many who want to grow on nodes where not all can, so many are left out one by one before all there are. */
const MOST_ROUNDS = 8;

export function seatFleet(to: FleetToSeat): SeatedFleet {
  const waived = new Map<VmName, Conflict | null>();
  for (let round = 0; ; round++) {
    const laid = layOut(to, new Set(waived.keys()));
    const seated = seatAll(laid.problem);
    const crowded = seated.failures.filter((failure) => failure.kind === "overfull");
    const nodeName = (node: number): NodeName => laid.problem.nodes[node]?.name as NodeName;
    if (crowded.length === 0) return { ...toAnswer(to, laid, seated), ...growthOf(waived) };
    for (const failure of crowded) {
      const here = to.tooBig.filter(({ draft }) => draft.node === nodeName(failure.node) && !waived.has(draft.name));
      const [conflict = null] = seated.explain([failure]);
      const last = here.toSorted((a, b) => byName(a.draft.name, b.draft.name)).at(-1);
      for (const { draft } of round < MOST_ROUNDS ? (last ? [last] : []) : here) waived.set(draft.name, conflict);
    }
  }
}

const growthOf = (waived: ReadonlyMap<VmName, Conflict | null>) => ({
  ungrown: new Set(waived.keys()),
  explainGrowth: (name: VmName): Conflict | null => waived.get(name) ?? null,
});

interface LaidOut {
  readonly problem: Problem;
  readonly sitters: readonly Sitter[];
}

function toAnswer(to: FleetToSeat, { problem, sitters }: LaidOut, { homes, moves, failures, explain }: Seated) {
  const indexOf = new Map(problem.nodes.map((node, index) => [node.name as NodeName, index]));
  const explainSome = (some: readonly Failure[]): readonly Conflict[] =>
    explain(some, (vm) => {
      const sitter = sitters[vm];
      return sitter?.kind === "homeless" ? boundsOf(sitter.homeless, to, indexOf) : null;
    });
  return {
    ...{ problem, sitters, moves, failures },
    nodeOf: (vm: number) => (problem.nodes[homes[vm] ?? -1]?.name as NodeName | undefined) ?? null,
    explain: explainSome,
  };
}

function layOut(
  { sites, spreads, rules, homeless, tooBig, neighbours, departureOf, isAsked }: FleetToSeat,
  ungrown: ReadonlySet<VmName>,
): LaidOut {
  const still = { moves: "never", moveMiB: 0, dirtyMiBps: 0, group: null } as const;
  const who = new Map<Inhabitant, Sitter>();
  const growing = tooBig.filter(({ draft }) => !ungrown.has(draft.name));
  const candidates = findCandidates(
    [...homeless, ...growing.flatMap(({ mover }) => (mover === null ? [] : [mover]))],
    sites,
    rules,
  );
  const candidatesOf = ({ vm }: Homeless): readonly NodeName[] => candidates.get(vm.name) ?? [];
  const travels = ({ moves }: Homeless) =>
    moves === null
      ? { ...still, home: null, holds: NOTHING }
      : {
          ...still,
          ...{ home: moves.draft.node, holds: moves.draft.before, moves: moves.how.mode },
          moveMiB: sentMiB(moves.applied, moves.how.mode === "cold"),
        };
  for (const each of homeless) {
    const { vm, spec } = each;
    const of = { name: vm.name, labels: spec.labels, placement: vm.placement };
    who.set(
      { ...of, ...travels(each), wants: holdingsOf(each), allowed: candidatesOf(each) },
      { kind: "homeless", homeless: each },
    );
  }
  const labelsOf = new Map(neighbours.map((each) => [each.name, each]));
  for (const each of growing) {
    const { draft, mover } = each;
    const { labels = {}, placement = NO_RULES } = labelsOf.get(draft.name) ?? {};
    const of = { name: draft.name, labels, placement, wants: larger(draft.before, draft.after) };
    const seat =
      mover === null
        ? { ...still, home: draft.node, holds: draft.before, allowed: [draft.node] }
        : { ...travels(mover), allowed: [...candidatesOf(mover), draft.node] };
    who.set({ ...of, ...seat }, { kind: "grows", tooBig: each, neighbour: { labels, placement } });
  }
  const growers = new Set(growing.map(({ draft }) => draft.name));
  const goTo = destinationsAmong(sites, rules.fleet);
  for (const neighbour of neighbours) {
    const { name, home, vm, draft, labels, placement, goes } = neighbour;
    if (growers.has(name) && draft !== null) continue;
    // Who is to be smaller is that only afterwards, and where it is.
    const isShrinking = draft !== null && !isNothing(excess(draft.before, draft.after));
    const able = ungrown.has(name) || isShrinking ? null : departureOf(neighbour);
    const holds = draft?.before ?? heldBy(vm);
    const wants = draft === null || ungrown.has(name) ? holds : endOf(draft);
    const of = { name, home, labels, placement, goes, holds, wants };
    const seat =
      able === null
        ? { ...still, allowed: null }
        : { ...still, moves: "live" as const, moveMiB: sentMiB(able.applied), allowed: goTo(able, home) };
    who.set(
      { ...of, ...seat },
      { kind: "neighbour", neighbour, able, asked: isAsked(neighbour) ? neighbour.wanted : null },
    );
  }
  const pressed = new Set(growing.map(({ draft }) => draft.node));
  const grounds = sites.flatMap(({ node, report, room, closed }) =>
    report === null
      ? []
      : [
          {
            ...{ node, room, closed: closed !== null, leaving: false, upMiBps: 1, downMiBps: 1 },
            mayStayOverfull: !pressed.has(node.name),
          },
        ],
  );
  const { problem, inhabitants } = toProblem(grounds, [...who.keys()], [], spreads);
  return { problem, sitters: inhabitants.map((each) => who.get(each) as Sitter) };
}

/** Only those who take nothing give room that others may count on: see `fitGrowth`. */
function endOf({ before, after }: { readonly before: Amount; readonly after: Amount }): Amount {
  return isNothing(excess(after, before)) ? after : larger(before, after);
}
