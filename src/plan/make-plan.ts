/**
 * Turns the difference between desired and observed into an ordered Plan.
 *
 *   locate → diff → place → steps → order → [Plan] → check-plan.ts → report/, apply/
 *
 * Pure: same inputs, same plan, byte for byte. Nothing here knows how a step is carried out.
 */

import type { Looks } from "../model/boot/boot-needs.ts";
import type { Blocked, Selection, Unknown, Waiting } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { byName, type Instant, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { placeOrStop } from "../placement/place-or-stop.ts";
import { freeNow, toSites } from "../placement/room.ts";
import { findDifferences } from "../reconcile/diff.ts";
import type { Finding } from "../reconcile/diff-vm.ts";
import type { Draft, Homeless } from "../reconcile/draft.ts";
import { locateVms, type Sightings } from "../reconcile/locate-vms.ts";
import { lackingAt, looksByNode, needsFor, whyLacking, whyPortTaken } from "../reconcile/look-ahead.ts";
import { unmatchedPatterns } from "../reconcile/select.ts";
import { unknownNode } from "../reconcile/unknown-node.ts";
import type { StuckVm } from "../schedule/order-moves.ts";
import { scheduleChains } from "../schedule/schedule-chains.ts";
import { withFetches } from "./fetches.ts";
import { type Allowances, allowsMoves, allowsReboot, allowsReplace, findRefusals } from "./guards.ts";
import { holdGroups } from "./hold-groups.ts";
import { findWaves } from "./maintenance-waves.ts";
import { digestOfObserved } from "./observed-digest.ts";
import { PLAN_VERSION, type Plan } from "./plan-document.ts";
import { planIdOf } from "./plan-id.ts";
import type { PlanMemory } from "./plan-memory.ts";
import { roomsAfter } from "./rooms.ts";
import { countUntouched, summarise, toChange, toPlacedChange } from "./tell-changes.ts";
import { toldMaintenance } from "./told-maintenance.ts";
import { Hours, withClosings } from "./windows.ts";

export interface PlanInput {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  /** Where the manifests came from, for people. */
  readonly source: string;
  readonly commit: string | null;
  readonly selection: Selection | null;
  readonly allowances: Allowances;
  /** Why the fleet's VMs that are not desired go, for people; left out: the manifests no longer name them. */
  readonly removedBecause?: string;
  /** What of `observed` was not seen but taken to be so, for people: `n3=down`. */
  readonly assumed?: readonly string[];
  /** Of who plans again and again; the plan is the same with it and without. */
  readonly memory?: PlanMemory;
}

export function makePlan(input: PlanInput): Plan {
  const sightings = locateVms(input.desired, input.observed);
  const plan = makeOnePlan(input, sightings);
  const waves = findWaves(plan, input.desired, sightings, (desired) => makeOnePlan({ ...input, desired }, sightings));
  if (waves === null) return plan;
  const told = { ...plan, waves };
  return { ...told, id: planIdOf(told) };
}

function makeOnePlan(input: PlanInput, sightings: Sightings): Plan {
  const findings = findDifferences(
    input.desired,
    sightings,
    input.selection,
    input.observed.at,
    input.removedBecause,
    input.memory?.differences,
  );
  const hours = input.allowances.outsideWindows ? null : new Hours(input.desired, sightings, input.observed.at);
  // VMs that wait for one another in a circle give way one by one; the rest is planned again without them.
  const heldBack = new Map<VmName, Blocked>();
  // Those who were to move for others only are not asked again; where that goes on and on, nobody is.
  const pinned = new Set<VmName>();
  // So do those whose window is not open. What is to become of them is only known once all have been planned for.
  const waiting = new Map<VmName, Waiting>();
  for (let round = 0; ; round++) {
    const isPinned = (name: VmName): boolean => round > MOST_ROUNDS_OF_MOVES || pinned.has(name);
    const draft = draftPlan({ input, sightings, findings, heldBack, isPinned, waiting, hours });
    for (const each of draft.stuck) {
      if (draft.movedForOthers.has(each.name)) pinned.add(each.name);
      else heldBack.set(each.name, giveWay(each));
    }
    if (draft.stuck.length > 0) continue;
    if (draft.tooEarly.length === 0) return draft.plan;
    for (const each of draft.tooEarly) waiting.set(each.change.name, each);
    heldBack.clear();
  }
}

const MOST_ROUNDS_OF_MOVES = 8;

const giveWay = ({ name, message }: StuckVm): Blocked => ({
  name,
  code: "UNPLACEABLE",
  message,
  hint: "apply the rest and plan again, or free some room",
  source: null,
});

interface PlanDraft {
  readonly plan: Plan;
  readonly stuck: readonly StuckVm[];
  readonly movedForOthers: ReadonlySet<VmName>;
  /** Changes of it whose windows are not open. */
  readonly tooEarly: readonly Waiting[];
}

interface ToDraft {
  readonly input: PlanInput;
  readonly sightings: Sightings;
  readonly findings: ReadonlyMap<VmName, Finding>;
  /** Left as they are. */
  readonly heldBack: ReadonlyMap<VmName, Blocked>;
  /** Not moved for others, nor because of a rule. */
  readonly isPinned: (name: VmName) => boolean;
  readonly waiting: ReadonlyMap<VmName, Waiting>;
  /** Null: windows are left out of account. */
  readonly hours: Hours | null;
}

function draftPlan({ input, sightings, findings, heldBack, isPinned, waiting, hours }: ToDraft): PlanDraft {
  const { desired, observed, selection, allowances } = input;
  const blocked: Blocked[] = [...heldBack.values()];
  const unknown: Unknown[] = sightings.silent.map(unknownNode);
  const looks = looksByNode(observed);
  const drafts: Draft[] = [];
  const homeless: Homeless[] = [];
  // Nobody that was left out by name is among them.
  const unchanged = new Set<VmName>();
  for (const [name, finding] of findings) {
    if (heldBack.has(name) || waiting.has(name)) continue;
    if (finding.kind === "unchanged") unchanged.add(name);
    if (finding.kind === "unknown") unknown.push(finding.unknown);
    if (finding.kind === "blocked") blocked.push(finding.blocked);
    if (finding.kind === "change") {
      const lacking = whyDraftLacks(finding.draft, sightings, looks);
      if (lacking === null) drafts.push(finding.draft);
      else blocked.push(lacking);
    }
    if (finding.kind === "homeless") homeless.push(finding.homeless);
  }

  const now = freeNow(desired, sightings);
  const { kept, held } = holdGroups(drafts, desired, sightings);
  blocked.push(...held);
  const mayMove = (name: VmName): boolean => mayMakeWay(name, sightings, hours, input);
  const mayStop = allowsReboot(desired.fleet.policy, allowances);
  const {
    growing,
    placed,
    aside,
    movedForOthers,
    blocked: unplaceable,
  } = placeOrStop(
    {
      ...{ desired, sightings, free: now, drafts: kept, homeless, unchanged },
      sites: toSites(desired, sightings, looks, observed.at),
      mayMove: (name) => !isPinned(name) && mayMove(name),
      rules: { mayLeaveDisks: allowsReplace(desired.fleet.policy, allowances), fleet: desired.fleet.name },
    },
    mayStop,
  );
  blocked.push(...unplaceable);

  const scheduled = scheduleChains({
    ...{
      desired,
      sightings,
      at: observed.at,
      drafts: growing,
      placed: [...placed, ...aside],
      free: now,
      mayStop,
      movedForOthers,
    },
    bystanders: { has: (name) => unchanged.has(name) && mayMove(name) },
  });
  const { chains, stuck, times } = scheduled;
  const changes = [
    ...growing.map((draft) => toChange(draft, sightings)),
    ...scheduled.placed.map((each) => toPlacedChange(each, scheduled.steps, sightings)),
  ].sort((a, b) => byName(a.name, b.name));
  const rooms = roomsAfter({ desired, sightings, free: now, drafts: growing, placed: scheduled.placed, times });
  const tooEarly: Waiting[] = [];
  const closings = new Map<VmName, Instant>();
  for (const change of hours === null ? [] : changes) {
    const hour = (hours as Hours).of(change);
    if (hour.kind === "closed") tooEarly.push({ change, window: hour.window });
    if (hour.kind === "open") closings.set(change.name, hour.until);
  }
  const specs = Object.fromEntries(
    chains
      .flatMap((chain) => (chain.spec === null ? [] : [[chain.vm, chain.spec] as const]))
      .sort(([a], [b]) => byName(a, b)),
  );
  const steps = withFetches(withClosings(scheduled.steps, closings), { changes, specs, sightings, looks });

  const atStake = { size: sightings.ofFleet.size, deletionIsAsked: input.removedBecause !== undefined };
  const refusals = [...refusePatterns(input, sightings), ...findRefusals(changes, desired, allowances, atStake)];
  unknown.sort((a, b) => byName(a.kind, b.kind) || byName(a.name, b.name));
  blocked.sort((a, b) => byName(a.name, b.name));
  const everything = desired.vms.length + [...sightings.ofFleet.keys()].filter((name) => !findings.has(name)).length;
  const maintenance = toldMaintenance(desired, observed.at, changes, blocked);
  const leftOut = selection !== null && findings.size < everything;
  const plan: Omit<Plan, "id"> = {
    kind: "Plan",
    version: PLAN_VERSION,
    fleet: desired.fleet.name,
    base: {
      source: input.source,
      commit: input.commit,
      desiredDigest: desired.digest,
      observedDigest: digestOfObserved(observed, input.memory?.observed),
      observedAt: observed.at,
      selection,
      ...(input.assumed === undefined || input.assumed.length === 0 ? {} : { assumed: input.assumed }),
      ...(hours === null ? { outsideWindows: true as const } : {}),
      vms: Object.fromEntries(chains.map((chain) => [chain.vm, chain.seen] as const).sort(([a], [b]) => byName(a, b))),
    },
    summary: summarise(changes, countUntouched(unchanged, changes, blocked), unknown, blocked),
    changes,
    steps,
    ...(times === null ? {} : { times }),
    ...(rooms.length === 0 ? {} : { rooms }),
    ...(maintenance.length === 0 ? {} : { maintenance }),
    unknown,
    blocked,
    ...(waiting.size === 0
      ? {}
      : { waiting: [...waiting.values()].sort((a, b) => byName(a.change.name, b.change.name)) }),
    refusals,
    complete: unknown.length === 0 && blocked.length === 0 && waiting.size === 0 && refusals.length === 0 && !leftOut,
    applyable: steps.length > 0 && refusals.length === 0,
    specs,
  };
  return { plan: { ...plan, id: planIdOf(plan) }, stuck, movedForOthers, tooEarly };
}

/** One that would have to wait for its own move, or whose moves policy does not allow, is not moved for others. */
function mayMakeWay(
  name: VmName,
  sightings: Sightings,
  hours: Hours | null,
  { desired, allowances }: PlanInput,
): boolean {
  if (!allowsMoves(desired.fleet.policy, allowances)) return false;
  const location = sightings.locate(name);
  if (hours === null || location.kind !== "present") return true;
  const aside = { name, node: location.node, fromNode: null, action: "migrate", class: "migrate" } as const;
  return hours.of(aside).kind !== "closed";
}

/** Null: its node has what it needs, or nobody knows otherwise. */
function whyDraftLacks(draft: Draft, sightings: Sightings, looks: ReadonlyMap<NodeName, Looks>): Blocked | null {
  const answers = looks.get(draft.node);
  const location = sightings.locate(draft.name);
  if (location.kind !== "present") return null;
  const { spec: applied, disks } = location.vm;
  const spec = draft.put ?? applied;
  const taken = draft.action === "boot" ? whyPortTaken(draft.name, spec, sightings.reports.get(draft.node)) : null;
  if (taken !== null) return lackingAt(draft.name, draft.node, taken, draft.source);
  if (answers === undefined) return null;
  const why = whyLacking(spec, needsFor(draft, spec, disks ?? applied.disks.map((disk) => disk.name)), answers);
  return why === null ? null : lackingAt(draft.name, draft.node, why, draft.source);
}

function refusePatterns({ desired, selection }: PlanInput, sightings: Sightings): Plan["refusals"] {
  if (selection === null) return [];
  const all = [
    ...desired.vms.map((vm) => ({ name: vm.name as string, labels: vm.spec.labels })),
    ...[...sightings.reports.values()].flatMap((report) =>
      report.vms.map((vm) => ({ name: vm.name as string, labels: vm.spec.labels })),
    ),
  ];
  return unmatchedPatterns(selection, all).map((pattern) => ({
    code: "USAGE",
    message: `no VM answers to ${pattern}`,
    hint: "targets and excludes are names, globs (web-*) or labels (app=web)",
  }));
}
