/**
 * One VM of a plan: why it is where it is, what the plan does to it, what milder ways there were, and who else could have it.
 *
 *   Plan + DesiredState + ObservedState → [explain-vm.ts] → report/what-if/explanation-text.ts
 */
import type { ChangeClass } from "../model/change-class.ts";
import type { Blocked, Change, PlacementFilter, RejectedChain, Unknown, Waiting } from "../model/changes.ts";
import type { DesiredState, DesiredVm, SourcePosition } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import { whyClosed } from "../model/maintenance.ts";
import type { Instant, NodeName, VmName } from "../model/names.ts";
import { nearest } from "../model/nearest.ts";
import type { ObservedState, OwedChange, Phase } from "../model/observed-state.ts";
import type { Plan, Refusal } from "../plan/plan-document.ts";
import { type Location, locateVms, type Sightings } from "../reconcile/locate-vms.ts";
import type { StepKind } from "../schedule/step.ts";
import { describeStep } from "../schedule/step.ts";
import { afterPlan } from "./after-plan.ts";
import { type DecisiveValue, decisiveValues } from "./decisive-values.ts";
import { otherNodes } from "./other-nodes.ts";

/** What `odorobo explain --json` prints (`schemas/explanation.schema.json`). */
export interface Explanation {
  readonly kind: "Explanation";
  readonly version: 1;
  readonly fleet: string;
  readonly source: string;
  readonly commit: string | null;
  readonly observedAt: Instant;
  readonly vm: VmName;
  readonly home: Home;
  /** `waits`: for its window. `foreign`: not this fleet's. `leftOut`: the plan was narrowed to others. */
  readonly outcome: "unchanged" | "changes" | "waits" | "blocked" | "unknown" | "foreign" | "leftOut";
  /** What happens to it, now or in its window. */
  readonly change: Change | null;
  /** What it waits for; null: nothing. */
  readonly window: Waiting["window"] | null;
  readonly blocked: Blocked | null;
  readonly unknown: Unknown | null;
  /** Of the whole plan: nothing of it is done. */
  readonly refusals: readonly Refusal[];
  readonly steps: readonly ExplainedStep[];
  /** Milder ways that would not do. */
  readonly rejected: readonly RejectedChain[];
  /** Applied, and waiting for the guest or for its next boot. */
  readonly pending: readonly OwedChange[];
  readonly values: readonly DecisiveValue[];
  /** Null: it is not known where it is, or not this fleet's. */
  readonly elsewhere: Elsewhere | null;
}

export interface Home {
  readonly state: Location["kind"];
  /** One, or all of two homes; empty: none, or not known. */
  readonly nodes: readonly NodeName[];
  readonly phase: Phase | null;
  readonly because: readonly { readonly text: string; readonly source: SourcePosition | null }[];
}

export interface ExplainedStep {
  readonly id: string;
  readonly kind: StepKind;
  readonly class: ChangeClass;
  readonly text: string;
  /** Steps of other VMs that must have been done before. */
  readonly waitsFor: readonly { readonly vm: VmName; readonly text: string }[];
  /** Of a move, as predicted. */
  readonly predicted?: { readonly startSeconds: number; readonly endSeconds: number; readonly downtimeMs: number };
}

/** Whether another node could have it, were the rest of the plan done: counted filter by filter. */
export interface Elsewhere {
  /** Why it cannot leave, or be made anew; null: it could. */
  readonly rooted: string | null;
  /** Why it runs and can go only switched off; null: it goes as it is. */
  readonly onlyOff: string | null;
  /** Where it would be put; null: nowhere. */
  readonly node: NodeName | null;
  readonly able: readonly NodeName[];
  readonly filters: readonly PlacementFilter[];
}

/** Throws NOT_FOUND for a VM that nobody names and no node has. */
export function explainVm(vm: VmName, plan: Plan, desired: DesiredState, observed: ObservedState): Explanation {
  const sightings = locateVms(desired, observed);
  const location = sightings.locate(vm);
  const wanted = desired.vms.find(({ name }) => name === vm);
  const waits = plan.waiting?.find(({ change }) => change.name === vm) ?? null;
  const change = plan.changes.find(({ name }) => name === vm) ?? waits?.change ?? null;
  const blocked = plan.blocked.find(({ name }) => name === vm) ?? null;
  const unknown = plan.unknown.find((each) => each.kind === "VirtualMachine" && each.name === vm) ?? null;
  const told = change ?? blocked ?? unknown;
  if (wanted === undefined && told === null && location.kind !== "present") throw notFound(vm, desired, sightings);
  const seen = location.kind === "present" ? location.vm : null;
  const isForeign = wanted === undefined && told === null;
  const after = locateVms(desired, afterPlan(plan, desired, observed, new Set([vm])));
  return {
    kind: "Explanation",
    version: 1,
    fleet: plan.fleet,
    source: plan.base.source,
    commit: plan.base.commit,
    observedAt: plan.base.observedAt,
    vm,
    home: {
      state: location.kind,
      nodes: location.kind === "present" ? [location.node] : location.kind === "two-homes" ? location.nodes : [],
      phase: seen?.phase ?? null,
      because: whyThere(location, wanted, desired, observed.at),
    },
    outcome: isForeign ? "foreign" : waits !== null ? "waits" : outcomeOf({ change, blocked, unknown }, plan),
    change,
    window: waits?.window ?? null,
    blocked,
    unknown,
    refusals: plan.refusals,
    steps: stepsOf(vm, plan),
    rejected: change?.rejected ?? blocked?.rejected ?? [],
    pending: seen?.owed ?? [],
    values: wanted === undefined ? [] : decisiveValues(wanted),
    elsewhere: wanted === undefined ? null : otherNodes(wanted, location, desired, after, observed),
  };
}

function outcomeOf(
  { change, blocked, unknown }: Pick<Explanation, "change" | "blocked" | "unknown">,
  { base }: Plan,
): Explanation["outcome"] {
  if (change !== null) return "changes";
  if (blocked !== null) return "blocked";
  if (unknown !== null) return "unknown";
  // Whoever narrowed the plan knows that VMs are left out of it; this one may be one of them.
  return base.selection === null ? "unchanged" : "leftOut";
}

function whyThere(
  location: Location,
  wanted: DesiredVm | undefined,
  { nodes }: DesiredState,
  at: Instant,
): Home["because"] {
  if (location.kind === "unknown") return [{ text: `it ${location.because}`, source: null }];
  if (location.kind === "absent") {
    const { tombstone } = location;
    const kept = tombstone === null ? "" : `; what is left of its former life is kept on ${tombstone.node}`;
    return [{ text: `no node has it${kept}`, source: null }];
  }
  if (location.kind === "two-homes") return [{ text: "both nodes say that it is theirs", source: null }];
  if (wanted === undefined) return [{ text: "the manifests do not name it", source: null }];
  const { placement, whereIs, source } = wanted;
  const node = nodes.find(({ name }) => name === location.node);
  const where = whereIs("/spec/placement") ?? source;
  const says = { names: placement.nodes, labels: Object.entries(placement.selector) };
  const allows =
    node !== undefined &&
    (says.names.length === 0 || says.names.includes(node.name)) &&
    says.labels.every(([key, value]) => Object.hasOwn(node.labels, key) && node.labels[key] === value);
  const closed = node === undefined ? null : whyClosed(node, at);
  return [
    says.names.length === 0 && says.labels.length === 0
      ? { text: "its placement allows any node, and who need not move stays", source: null }
      : allows
        ? {
            text:
              says.names.length === 1 && says.labels.length === 0
                ? `its placement names ${location.node}`
                : `its placement allows ${location.node}, and who need not move stays`,
            source: where,
          }
        : { text: `its placement no longer allows ${location.node}`, source: where },
    ...(closed === null ? [] : [{ text: `${location.node} is ${closed}`, source: node?.source ?? null }]),
  ];
}

function stepsOf(vm: VmName, { steps, times }: Plan): ExplainedStep[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const timeOf = new Map(times?.moves.map((move) => [move.step, move]));
  return steps
    .filter((step) => step.vm === vm)
    .map((step) => {
      const { id, kind, class: changeClass } = step;
      const time = timeOf.get(id);
      return {
        ...{ id, kind, class: changeClass, text: describeStep(step) },
        waitsFor: step.after.flatMap((before) => {
          const other = byId.get(before);
          return other === undefined || other.vm === vm ? [] : [{ vm: other.vm, text: describeStep(other) }];
        }),
        ...(time === undefined
          ? {}
          : {
              predicted: { startSeconds: time.startSeconds, endSeconds: time.endSeconds, downtimeMs: time.downtimeMs },
            }),
      };
    });
}

function notFound(vm: VmName, { vms }: DesiredState, { reports, silent }: Sightings): OdoroboError {
  const names = [
    ...vms.map(({ name }) => name),
    ...[...reports.values()].flatMap((each) => each.vms.map((v) => v.name)),
  ];
  const similar = nearest(vm, names);
  const where = silent.length === 0 ? "" : ", as far as the nodes that answer know";
  return new OdoroboError("NOT_FOUND", `no manifest names ${vm}, and no node has it${where}`, {
    hint: similar === null ? "odorobo status shows what there is" : `did you mean ${similar}?`,
  });
}
