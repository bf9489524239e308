/**
 * A plan carried out on agents in memory, in a time of its own, while some things fail: by the very apply that carries out real plans.
 *
 *   Plan + ObservedState → [simulate.ts] → apply/ → agent/rehearse.ts
 *
 * Nothing real is asked, and nothing is waited for. The same plan, world and seed, the same simulation.
 */
import { rehearse } from "../agent/rehearse.ts";
import { apply } from "../apply/apply.ts";
import type { ApplyReport } from "../apply/apply-report.ts";
import type { DesiredState } from "../model/desired-state.ts";
import type { Digest, NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { referencedFiles } from "../model/vm-spec.ts";
import { checkPlan } from "../plan/check-plan.ts";
import { makePlan } from "../plan/make-plan.ts";
import type { Plan } from "../plan/plan-document.ts";
import { VirtualTime } from "../platform/virtual-time.ts";
import type { InjectedFailure, Simulation, UndoneStep } from "../report/what-if/simulation-document.ts";
import { actDurations } from "./act-durations.ts";
import { chooseFailures } from "./choose-failures.ts";
import { headroomOf, heldAtStart, overfilled, strayed } from "./judge-run.ts";
import { misbehave } from "./misbehave.ts";
import { StandstillWatch } from "./standstill-watch.ts";

export interface SimulationInput {
  readonly plan: Plan;
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  /** How many failures, and which. */
  readonly failures: number;
  readonly seed: number;
}

/** Rejects as `apply` does for a plan that must not be carried out: PLAN_REFUSED. */
export async function simulate(input: SimulationInput): Promise<Simulation> {
  const { plan, failures, seed } = input;
  if (failures === 0) return (await play(input, [])).simulation;
  // How long it takes when nothing fails: within that time something does.
  const undisturbed = await play(input, []);
  return (await play(input, chooseFailures(plan, failures, seed, undisturbed.simulation.makespanSeconds))).simulation;
}

async function play(
  input: SimulationInput,
  injected: readonly InjectedFailure[],
): Promise<{ readonly simulation: Simulation }> {
  const { plan, desired, seed } = input;
  const observed = withoutLeft(input.observed);
  const time = new VirtualTime(observed.at);
  const fleet = rehearse(observed, time);
  const durations = actDurations(plan);
  const watch = new StandstillWatch(observed, time, durations);
  misbehave(fleet, time, injected, durations.secondsOf);
  const before = heldAtStart(fleet, observed);
  const agents = new Map<NodeName, ReturnType<StandstillWatch["watch"]>>();
  const agentOf = (node: NodeName) => {
    const known = agents.get(node) ?? watch.watch(fleet.agent(node));
    agents.set(node, known);
    return known;
  };
  let tickets = 0;
  const report = await time.until(
    apply(plan, agentOf, {
      files: standInTexts(plan),
      addressOf: (node) => `http://${node}`,
      newTicket: () => String(++tickets).padStart(8, "0"),
      limits: desired.fleet.policy.parallelism,
      clock: time,
      sleep: time.sleep,
      signal: new AbortController().signal,
    }),
  );
  const standstill = watch.result();
  const after = fleet.observe();
  const next = makePlan({
    ...{ desired, observed: after, source: plan.base.source, commit: plan.base.commit, selection: plan.base.selection },
    allowances: { maxClass: null, allowDestroy: null },
  });
  return {
    simulation: {
      kind: "Simulation",
      version: 1,
      fleet: plan.fleet,
      planId: plan.id,
      observedAt: observed.at,
      seed,
      injected,
      outcome: report.outcome === "done" ? "done" : "failed",
      counts: report.counts,
      makespanSeconds: time.monotonicMs() / 1000,
      predictedSeconds: plan.times?.makespanSeconds ?? null,
      standstill,
      headroom: headroomOf(fleet, plan, desired, observed),
      undone: undoneOf(report),
      next: { steps: next.steps.length, blocked: next.blocked.length, unknown: next.unknown.length },
      violations: [
        ...fleet.broken,
        ...overfilled(fleet, desired, observed, before),
        ...strayed(fleet, plan, observed),
        ...checkPlan(next, desired, after).map(({ promise, message }) => `the next plan: ${promise}: ${message}`),
        ...(injected.length === 0 && report.outcome !== "done"
          ? ["nothing was made to fail, and not all of it was done"]
          : []),
      ],
    },
  };
}

/** What moved guests have left is no VM, and agents in memory leave nothing. */
function withoutLeft(observed: ObservedState): ObservedState {
  return {
    ...observed,
    nodes: observed.nodes.map((node) =>
      node.reach === "silent"
        ? node
        : {
            ...node,
            report: { ...node.report, vms: node.report.vms.filter(({ migration }) => migration?.stage !== "left") },
          },
    ),
  };
}

/** Agents in memory look at no text; a snapshot has none. */
function standInTexts({ specs }: Plan): ReadonlyMap<Digest, string> {
  return new Map(Object.values(specs).flatMap((spec) => referencedFiles(spec).map((digest) => [digest, ""] as const)));
}

const undoneOf = ({ steps }: ApplyReport): UndoneStep[] =>
  steps.flatMap(({ id, title, outcome, error, skippedBecause }) =>
    outcome === "done" ? [] : [{ step: id, title, outcome, because: error?.message ?? skippedBecause ?? "" }],
  );
