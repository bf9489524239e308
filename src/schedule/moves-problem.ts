/**
 * Everything that takes or gives room in a plan, and everybody who stands in its way, as numbers: so that the order of moves can
 * be worked out with both ends counted, guests parked, and bystanders moved aside.
 *
 *   place-vms.ts → [moves-problem.ts] → sequence.ts → order-moves.ts
 */
import { type Amount, heldBy, NOTHING, roomOf } from "../model/capacity.ts";
import type { AffinityRule, DesiredNode, DesiredState } from "../model/desired-state.ts";
import { joinHistories, type MoveSample, medianOf, type Sample, type VmHistory } from "../model/history.ts";
import { whyClosed } from "../model/maintenance.ts";
import { describeMatch, type Labels, meets } from "../model/may-live-on.ts";
import { byName, type Instant, type NodeName, type VmName } from "../model/names.ts";
import type { NodeReport, VmReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import type { Amounts, Problem, ProblemVm, Rule } from "../placement/engine/problem.ts";
import type { Placed } from "../placement/place-vms.ts";
import { sentMiB } from "../placement/sent-mib.ts";
import { whyItCannotArrive } from "../placement/why-it-cannot-arrive.ts";
import { departureOf } from "../reconcile/departure.ts";
import type { Departure, Draft, Travel } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { USUAL_COSTS } from "./move-duration.ts";

/** Whose a VM of the problem is. A VM that is made anew elsewhere is two: what goes, and what comes. */
export type Part =
  | { readonly kind: "draft"; readonly draft: Draft }
  | { readonly kind: "mover"; readonly placed: Placed; readonly travel: Travel }
  | { readonly kind: "comes"; readonly placed: Placed }
  | { readonly kind: "goes"; readonly placed: Placed }
  | {
      readonly kind: "bystander";
      readonly vm: VmReport;
      readonly node: NodeName;
      readonly departure: Departure | null;
    };

export interface MovesProblem {
  readonly problem: Problem;
  /** The node each VM of the problem is to be on. */
  readonly homes: readonly number[];
  readonly parts: readonly Part[];
}

/**
 * What a link is taken to carry for migrations where nobody has said: 10 Gbit/s less what TCP takes, 1,150 MiB/s
 * (as measured of one stream on such a link).
 */
const USUAL_LINK_MIBPS = 1150;

const toAmounts = ({ cpus, memoryMiB }: Amount): Amounts => [cpus, memoryMiB];

/** What stopping and starting a guest takes where nobody has seen it: half each of what a cold move is taken to add. */
const USUAL_STOP_OR_BOOT_S = USUAL_COSTS.coldS / 2;

/**
 * What a move of it sends and how long it takes: as its last ones of that mode had it, for as much memory as it has now; else from
 * its spec. One that is stopped for it and started again stands still for all of it.
 */
function loadOf(
  history: VmHistory | undefined,
  spec: VmSpec,
  mode: "live" | "cold",
  runs = true,
): Pick<ProblemVm, "moveMiB" | "lasts"> {
  const isCold = mode === "cold";
  const moves = history?.moves?.filter((each) => each.mode === mode) ?? [];
  // What is sent of one that is off is its disks.
  const grownBy = ({ memoryMiB }: MoveSample): number =>
    isCold || memoryMiB === 0 ? 1 : spec.memory.sizeMiB / memoryMiB;
  const of = (value: (move: MoveSample) => number): number | null => medianOf(moves.map(value));
  const [sent, sending] = [of((move) => move.sentMiB * grownBy(move)), of((move) => move.seconds * grownBy(move))];
  if (sent === null || sending === null) return { moveMiB: sentMiB(spec, isCold) };
  const secondsOf = (samples: readonly Sample[] = []): number =>
    medianOf(samples.map(({ seconds }) => seconds)) ?? USUAL_STOP_OR_BOOT_S;
  const around = isCold && runs ? secondsOf(history?.stops) + secondsOf(history?.boots) : 0;
  const seconds = sending + around;
  const downtimeMs = isCold ? seconds * 1_000 : (of((move) => move.downtimeMs ?? 0) ?? 0);
  return { moveMiB: Math.round(sent), lasts: { seconds, downtimeMs } };
}

interface Entry {
  readonly name: string;
  readonly vm: ProblemVm;
  readonly home: number;
  readonly part: Part;
  readonly labels: Labels;
}

export function toMovesProblem(
  desired: DesiredState,
  sightings: Sightings,
  at: Instant,
  drafts: readonly Draft[],
  placed: readonly Placed[],
  bystanders: Pick<ReadonlySet<VmName>, "has">,
): MovesProblem {
  const nodes = desired.nodes.filter((node) => sightings.reports.has(node.name));
  const indexOf = new Map(nodes.map((node, index) => [node.name, index]));
  const reports = nodes.map((node) => sightings.reports.get(node.name) as NodeReport);
  const nodeOf = (name: NodeName): number => indexOf.get(name) ?? -1;
  const history = joinHistories(reports.map((report) => report.history ?? []));
  const openTo = openNodes(nodes, reports, at);
  const fixed = { dirtyMiBps: 0, group: -1, moveMiB: 0, moves: "never" } as const;
  // Who has nothing to do is only room that is taken, unless it may be moved aside.
  const involved = new Map<VmName, NodeName | undefined>([
    ...drafts.map(({ name, node }) => [name, node] as const),
    ...placed.map(({ homeless: { vm, from } }) => [vm.name, from?.seen.node] as const),
  ]);
  const entries: Entry[] = [];
  const enter = (name: string, home: number, vm: Omit<ProblemVm, "name">, part: Part, labels: Labels): void => {
    entries.push({ name, home, vm: { name, ...vm }, part, labels });
  };

  for (const draft of drafts) {
    const home = nodeOf(draft.node);
    const [holds, wants] = [toAmounts(draft.before), toAmounts(draft.after)];
    const labels = draft.put?.labels ?? labelsOf(sightings, draft.name);
    enter(draft.name, home, { ...fixed, home, holds, wants, allowed: [home] }, { kind: "draft", draft }, labels);
  }
  for (const each of placed) {
    const { homeless, node, holds } = each;
    const { vm, spec, from, moves } = homeless;
    const target = nodeOf(node);
    const wants = toAmounts(holds);
    if (moves !== null) {
      const { draft, applied, how } = moves;
      const home = nodeOf(draft.node);
      const isCold = how.mode === "cold";
      const load = loadOf(history.get(vm.name), applied, how.mode, draft.before.memoryMiB > 0);
      const moving = { moves: how.mode, ...load, dirtyMiBps: 0, group: -1 } as const;
      // One that is off is sent once: disks are not carried from node to node for others' sake.
      const parkable = isCold ? [target] : openTo(moves);
      const room = { home, holds: toAmounts(draft.before), wants, allowed: [target], parkable };
      enter(vm.name, target, { ...moving, ...room }, { kind: "mover", placed: each, travel: moves }, spec.labels);
      continue;
    }
    const arrives = { ...fixed, home: -1, holds: toAmounts(NOTHING), wants, allowed: [target] };
    enter(vm.name, target, arrives, { kind: "comes", placed: each }, spec.labels);
    if (from === null) continue;
    const home = nodeOf(from.seen.node);
    const leaves = { ...fixed, home, holds: toAmounts(from.held), wants: toAmounts(NOTHING), allowed: [home] };
    enter(`${vm.name} as it was`, home, leaves, { kind: "goes", placed: each }, labelsOf(sightings, vm.name));
  }
  const wanted = new Map(desired.vms.map((vm) => [vm.name, vm]));
  for (const [home, report] of reports.entries()) {
    for (const vm of report.vms) {
      // What a moved guest left holds nothing, and is with nobody.
      if (involved.get(vm.name) === report.node.name || vm.migration?.stage === "left") continue;
      const holds = toAmounts(heldBy(vm));
      const mine = bystanders.has(vm.name) ? wanted.get(vm.name) : undefined;
      const departure =
        mine === undefined ? null : departureOf(mine, mine.spec, { vm, report, remains: sightings.remains(vm.name) });
      const isFree =
        departure?.kind === "able" &&
        departure.how.mode === "live" &&
        !report.unfinished.some((entry) => entry.vm === vm.name);
      const moving = isFree
        ? {
            ...fixed,
            moves: "live" as const,
            ...loadOf(history.get(vm.name), vm.spec, "live"),
            parkable: openTo(departure),
          }
        : fixed;
      const part = { kind: "bystander", vm, node: report.node.name, departure: isFree ? departure : null } as const;
      enter(vm.name, home, { ...moving, home, holds, wants: holds, allowed: [home] }, part, vm.spec.labels);
    }
  }
  entries.sort((a, b) => byName(a.name, b.name));
  const problem: Problem = {
    resources: ["cpus", "memoryMiB"],
    nodes: nodes.map((node, index) => ({
      name: node.name,
      room: toAmounts(roomOf((reports[index] as NodeReport).capacity, node)),
      closed: whyClosed(node, at) !== null,
      leaving: false,
      upMiBps: node.migrationMiBps ?? USUAL_LINK_MIBPS,
      downMiBps: node.migrationMiBps ?? USUAL_LINK_MIBPS,
    })),
    vms: entries.map(({ vm }) => vm),
    rules: rulesAbout(desired, nodes, entries),
    groups: [],
  };
  return { problem, homes: entries.map(({ home }) => home), parts: entries.map(({ part }) => part) };
}

function labelsOf(sightings: Sightings, name: VmName): Labels {
  const location = sightings.locate(name);
  return location.kind === "present" ? location.vm.spec.labels : {};
}

/** Nodes that could run a guest for a while, sorted. Few kinds of guests ask the same question again and again. */
function openNodes(
  nodes: readonly DesiredNode[],
  reports: readonly NodeReport[],
  at: Instant,
): (travel: Pick<Travel, "applied" | "by" | "how">) => readonly number[] {
  const open = nodes.flatMap((node, index) => (whyClosed(node, at) === null ? [index] : []));
  const known = new Map<string, readonly number[]>();
  return ({ applied, by, how }) => {
    const { cpus, memory, boot, disks, nics, passthrough } = applied;
    const origins = disks.map((disk) => [disk.origin.kind, disk.origin.kind === "external" ? disk.origin.url : ""]);
    const kinds = [origins, nics.map((nic) => nic.attachment)];
    const key = JSON.stringify([by.kind, by.version, by.accelerator, cpus, memory, boot, kinds, passthrough]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const answer = open.filter(
      (index) => whyItCannotArrive({ applied, by, how }, reports[index] as NodeReport) === null,
    );
    known.set(key, answer);
    return answer;
  };
}

/** Required anti-affinity that somebody who moves or comes has, or is meant by: it holds on the way as well. */
function rulesAbout(desired: DesiredState, nodes: readonly DesiredNode[], entries: readonly Entry[]): Rule[] {
  const restless = entries.filter(({ part }) => part.kind === "mover" || part.kind === "comes");
  const ofVm = new Map(
    desired.vms.map((vm) => [vm.name as string, vm.placement.antiAffinity.filter(({ required }) => required)]),
  );
  const subjects = new Map<string, { readonly rule: AffinityRule; readonly members: number[] }>();
  for (const [index, { name }] of entries.entries()) {
    for (const rule of ofVm.get(name) ?? []) {
      const match = Object.entries(rule.match).sort(([a], [b]) => byName(a, b));
      const key = JSON.stringify([rule.per, match, rule.expressions]);
      const known = subjects.get(key);
      if (known) known.members.push(index);
      else subjects.set(key, { rule, members: [index] });
    }
  }
  const movers = new Set(restless.map(({ name }) => name));
  return [...subjects.values()].flatMap(({ rule, members }): Rule[] => {
    const isMeant = restless.some(({ labels }) => meets(labels, rule));
    if (!isMeant && !members.some((member) => movers.has((entries[member] as Entry).name))) return [];
    const others = entries.flatMap(({ labels }, index) => (meets(labels, rule) ? [index] : []));
    const domains = new Map<string, number>();
    const domainOf = nodes.map((node, index) => {
      if (rule.per === "node") return index;
      const value = Object.hasOwn(node.labels, rule.per) ? node.labels[rule.per] : undefined;
      if (value === undefined) return -1;
      const domain = domains.get(value) ?? domains.size;
      domains.set(value, domain);
      return domain;
    });
    const text = `${describeMatch(rule)} per ${rule.per}`;
    return [{ kind: "apart", subjects: members, others, domainOf, skew: 1, weight: null, text }];
  });
}
