/**
 * What is to change, and where it goes → steps in a safe order, and how long the moves among them take.
 *
 *   place-vms.ts → [schedule-chains.ts] → make-plan.ts
 *
 *   without moves   make-steps.ts → order-steps.ts
 *   with moves      moves-problem.ts → sequence.ts → order-moves.ts → make-steps.ts → order-steps.ts
 */

import type { Amount } from "../model/capacity.ts";
import { heldBy } from "../model/capacity.ts";
import type { DesiredState } from "../model/desired-state.ts";
import type { Instant, NodeName, VmName } from "../model/names.ts";
import { wantsRunning } from "../model/vm-spec.ts";
import type { Placed } from "../placement/place-vms.ts";
import { sentMiB } from "../placement/sent-mib.ts";
import { asCold } from "../reconcile/departure.ts";
import type { Draft } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { type Chain, stepsOfDraft, stepsOfPlaced } from "./make-steps.ts";
import { type MovesProblem, type Part, toMovesProblem } from "./moves-problem.ts";
import {
  type ActSteps,
  bystandersIn,
  draftOfBystander,
  nameOf,
  routesOf,
  type StepsOfActs,
  type StuckVm,
  stuckIn,
  waitsOf,
} from "./order-moves.ts";
import { orderSteps } from "./order-steps.ts";
import { type InPlace, type Sequence, type SequencedMove, sequence } from "./sequence.ts";
import type { Step, StepOf } from "./step.ts";

export interface ToSchedule {
  readonly desired: DesiredState;
  readonly sightings: Sightings;
  /** When the world was seen. */
  readonly at: Instant;
  readonly drafts: readonly Draft[];
  readonly placed: readonly Placed[];
  /** VMs that are as they should be, and may be moved aside for others. */
  readonly bystanders: Pick<ReadonlySet<VmName>, "has">;
  /** What each node has left right now. */
  readonly free: ReadonlyMap<NodeName, Amount>;
  /** A guest may be stopped for its move where others cannot move otherwise. */
  readonly mayStop: boolean;
  /** Of those that were placed: who moves for others' sake alone. Nobody is stopped for that. */
  readonly movedForOthers: Pick<ReadonlySet<VmName>, "has">;
}

export interface Scheduled {
  readonly steps: readonly Step[];
  readonly chains: readonly Chain[];
  /** Those that were placed, and the bystanders that make way. */
  readonly placed: readonly Placed[];
  /** When there are any, nothing else of this is usable: the plan is made again without them. */
  readonly stuck: readonly StuckVm[];
  /** Null: nothing moves. */
  readonly times: MoveTimes | null;
}

/** Predicted, for links of the usual speed. */
export interface MoveTimes {
  readonly makespanSeconds: number;
  /** Where the links' speed is from; left out: of at least one of them it is assumed. */
  readonly links?: "stated";
  readonly moves: readonly MoveTime[];
  /** Null: nothing is sent. */
  readonly busiestLink: { readonly node: NodeName; readonly direction: "up" | "down"; readonly seconds: number } | null;
  /** The least that each node has left at any moment, of those that take part; sorted by name. */
  readonly headroom: readonly ({ readonly node: NodeName } & Amount)[];
}

export interface MoveTime {
  readonly step: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** How long the guest stands still. */
  readonly downtimeMs: number;
  readonly memoryMiB: number;
  /** The guest's own last moves say so; left out: it is assumed, from its memory. */
  readonly basis?: "measured";
}

export function scheduleChains(to: ToSchedule): Scheduled {
  const isMove = ({ homeless }: Placed): boolean => homeless.moves !== null;
  if (!to.placed.some(isMove)) return withoutMoves(to);
  const asTheyRun = withMoves(to);
  return asTheyRun.stuck.length === 0 || !to.mayStop ? asTheyRun : (withStops(to) ?? asTheyRun);
}

/** A fleet in which so many had to be stopped is for a person to look at. */
const MOST_STOPS = 8;

/** Of those who may be stopped, the cheapest to send, one after another until nobody is stuck; null: that does not help. */
function withStops(to: ToSchedule): Scheduled | null {
  let placed = to.placed;
  for (let stops = 0; stops < MOST_STOPS; stops++) {
    const able = placed.flatMap((each) => {
      if (to.movedForOthers.has(each.homeless.vm.name)) return [];
      const homeless = asCold(each.homeless, "it would wait for room that others only give when it has left");
      return homeless === null ? [] : [{ each, homeless, bytes: sentMiB(homeless.spec, true) }];
    });
    let best: readonly Placed[] | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const { each, homeless } of able.sort((a, b) => a.bytes - b.bytes).slice(0, MOST_STOPS)) {
      const tried = placed.map((other) => (other === each ? { ...each, homeless } : other));
      const scheduled = withMoves({ ...to, placed: tried });
      if (scheduled.stuck.length === 0) return scheduled;
      if (scheduled.stuck.length < least) [best, least] = [tried, scheduled.stuck.length];
    }
    if (best === null) return null;
    placed = best;
  }
  return null;
}

const startsNow = ({ homeless }: Placed): boolean => wantsRunning(homeless.spec.runStrategy, false) === true;

function withoutMoves({ drafts, placed, free, desired }: ToSchedule): Scheduled {
  const chains = [...drafts.map(stepsOfDraft), ...placed.map((each) => stepsOfPlaced(each, startsNow(each)))];
  const { steps, stuck } = orderSteps(chains, desired.groups, { free });
  return { steps, chains, placed, stuck: stuck.map(waitsForOthers), times: null };
}

const waitsForOthers = (name: VmName): StuckVm => ({
  name,
  message: `${name} waits for room that only comes when others have moved, and they wait for it`,
});

function withMoves({ desired, sightings, at, drafts, placed, bystanders }: ToSchedule): Scheduled {
  const moves = toMovesProblem(desired, sightings, at, drafts, placed, bystanders);
  const { total, perNode } = desired.fleet.policy.moves ?? { total: null, perNode: null };
  const any = Number.POSITIVE_INFINITY;
  const found = sequence(moves.problem, moves.homes, { limits: { perFleet: total ?? any, perNode: perNode ?? any } });
  const routes = routesOf(moves, found);
  const legsOf = (name: VmName): readonly NodeName[] | undefined => routes.get(name)?.legs;
  const aside = bystandersIn(moves, found).map((part) =>
    draftOfBystander(part, legsOf(part.vm.name) ?? [], heldBy(part.vm)),
  );
  const all = [...placed, ...aside];
  const chains = [
    ...drafts.map(stepsOfDraft),
    ...all.map((each) => stepsOfPlaced(each, startsNow(each), legsOf(each.homeless.vm.name))),
  ];
  const stuck = stuckIn(moves, found);
  if (stuck.length > 0) return { steps: [], chains, placed: all, stuck, times: null };
  const acts = findActs(moves, chains, found);
  const { steps, stuck: circle } = orderSteps(chains, desired.groups, { waits: waitsOf(moves, found, acts) });
  return {
    steps: withinLinks(steps, desired),
    chains,
    placed: all,
    stuck: circle.map(waitsForOthers),
    times: toTimes(moves, found, acts.ofMove, desired),
  };
}

/** A move takes no more than the slower of its two links is said to have. */
function withinLinks(steps: readonly Step[], { nodes }: DesiredState): readonly Step[] {
  const rates = new Map(nodes.map(({ name, migrationMiBps }) => [name, migrationMiBps ?? Number.POSITIVE_INFINITY]));
  return steps.map((step) => {
    if (step.kind !== "migrateVm") return step;
    const [up, down] = [rates.get(step.fromNode), rates.get(step.node)];
    const rate = Math.min(up ?? Number.POSITIVE_INFINITY, down ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(rate) ? { ...step, bandwidthMiBps: rate } : step;
  });
}

/**
 * A VM's legs are its migrateVm steps, in order; what it does without a move is the rest of its chain. A cold move is all of its chain, but for the
 * stop where that is an act of its own.
 */
function findActs({ parts }: MovesProblem, chains: readonly Chain[], { inPlace }: Sequence): StepsOfActs {
  const chainOf = new Map(chains.map((chain) => [chain.vm, chain]));
  const stopped = new Set(inPlace.flatMap(({ kind, vm }) => (kind === "stop" ? [vm] : [])));
  const legsTaken = new Map<VmName, number>();
  const known = new Map<SequencedMove, ActSteps | null>();
  const ofMove = (move: SequencedMove): ActSteps | null => {
    const before = known.get(move);
    if (before !== undefined) return before;
    const name = nameOf(parts[move.vm] as Part);
    const taken = legsTaken.get(name) ?? 0;
    legsTaken.set(name, taken + 1);
    const steps = chainOf.get(name)?.steps ?? [];
    const leg = steps.filter((step) => step.kind === "migrateVm")[taken];
    const act = leg === undefined ? null : actOf(leg, steps, stopped.has(move.vm));
    known.set(move, act);
    return act;
  };
  const ofPart = (part: Part, kind: InPlace["kind"]): ActSteps | null => {
    const steps = chainOf.get(nameOf(part))?.steps ?? [];
    const only = (stepKind: Step["kind"]): ActSteps | null => {
      const step = steps.find((each) => each.kind === stepKind);
      return step === undefined ? null : { first: step.id, last: step.id };
    };
    if (kind === "stop") return only("shutdownVm");
    if (part.kind === "comes") return only("createVm");
    if (part.kind === "goes") return only("deleteVm");
    const [first, last] = [steps[0], steps.at(-1)];
    return first && last ? { first: first.id, last: last.id } : null;
  };
  return { ofMove, ofPart };
}

function actOf(leg: StepOf<"migrateVm">, steps: readonly Step[], isStoppedBefore: boolean): ActSteps {
  if (leg.mode !== "cold") return { first: leg.id, last: leg.id };
  const first = isStoppedBefore ? leg : (steps[0] ?? leg);
  return { first: first.id, last: (steps.at(-1) ?? leg).id, leg: leg.id };
}

function toTimes(
  { problem }: MovesProblem,
  { moves, makespanS, busiestLink, headroom }: Sequence,
  ofMove: (move: SequencedMove) => ActSteps | null,
  desired: DesiredState,
): MoveTimes {
  const nodeAt = (index: number): NodeName => (problem.nodes[index] as { name: string }).name as NodeName;
  const touched = new Set(moves.flatMap(({ from, to }) => [from, to]));
  const isStated = [...touched].every((node) => statedRate(desired, nodeAt(node)) !== undefined);
  return {
    makespanSeconds: round(makespanS),
    ...(isStated ? { links: "stated" as const } : {}),
    moves: moves.flatMap((move) => {
      const act = ofMove(move);
      if (act === null) return [];
      const { startS, endS, downtimeMs, moveMiB } = move;
      const times = { startSeconds: round(startS), endSeconds: round(endS), downtimeMs: Math.round(downtimeMs) };
      const isMeasured = problem.vms[move.vm]?.lasts !== undefined;
      return [
        {
          step: act.leg ?? act.first,
          ...times,
          memoryMiB: moveMiB,
          ...(isMeasured ? { basis: "measured" as const } : {}),
        },
      ];
    }),
    busiestLink:
      busiestLink === null
        ? null
        : { node: nodeAt(busiestLink.node), direction: busiestLink.direction, seconds: round(busiestLink.seconds) },
    headroom: [...touched]
      .sort((a, b) => a - b)
      .map((node) => {
        const [cpus = 0, memoryMiB = 0] = headroom[node] ?? [];
        return { node: nodeAt(node), cpus, memoryMiB };
      }),
  };
}

const statedRate = ({ nodes }: DesiredState, node: NodeName): number | undefined =>
  nodes.find(({ name }) => name === node)?.migrationMiBps;

/** To hundredths: nobody predicts better, and the same plan is to have the same bytes on every machine. */
const round = (seconds: number): number => Math.round(seconds * 100) / 100;
