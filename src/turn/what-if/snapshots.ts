/** A fleet's snapshot, taken and read back: what one plans from without asking any agent. */
import { readFile } from "node:fs/promises";
import type { DesiredState } from "../../model/desired-state.ts";
import { isErrno, isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { VmName } from "../../model/names.ts";
import { type Assumption, assume, showAssumption } from "../../plan/assume.ts";
import { assertPlanKeepsPromises } from "../../plan/check-plan.ts";
import { makePlan } from "../../plan/make-plan.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { type FleetSnapshot, fromSnapshot, SNAPSHOT_VERSION, toSnapshot } from "../../plan/snapshot.ts";
import { findAnswerError } from "../../wire/check-shape.ts";
import { type PlanRequest, planFor } from "../plan-fleet.ts";
import { loadFleet } from "../read-fleet.ts";
import { requireNodes } from "../require-nodes.ts";

/** What a plan of this moment asks of nodes is in it as well. Silent nodes are in it as such. */
export async function takeSnapshot(
  request: Pick<PlanRequest, "location" | "access" | "clock">,
  signal: AbortSignal,
): Promise<FleetSnapshot> {
  const fleet = await loadFleet(request.location, signal);
  const asked = new Map<VmName, Set<string>>();
  const anyPlan = { ...request, selection: null, allowances: { maxClass: null, allowDestroy: null } };
  const listening = { ...fleet, desired: listenIn(fleet.desired, asked) };
  await using planned = await planFor(listening, anyPlan, signal);
  return toSnapshot({ ...fleet, observed: planned.observed, asked });
}

function listenIn(desired: DesiredState, asked: Map<VmName, Set<string>>): DesiredState {
  const vms = desired.vms.map((vm) => ({
    ...vm,
    whereIs: (pointer: string) => {
      const known = asked.get(vm.name) ?? new Set();
      asked.set(vm.name, known.add(pointer));
      return vm.whereIs(pointer);
    },
  }));
  return { ...desired, vms };
}

/** Rejects with SNAPSHOT_INVALID. */
export async function readSnapshot(path: string): Promise<FleetSnapshot> {
  const value = await parse(path);
  const { kind, version } = (value ?? {}) as Record<string, unknown>;
  if (kind !== "FleetSnapshot") throw invalid(`${path} is not a snapshot of a fleet`, "is it the right file?");
  if (version !== SNAPSHOT_VERSION)
    throw invalid(`${path} is a snapshot of version ${version}; this odorobo reads version ${SNAPSHOT_VERSION}`);
  const mistake = findAnswerError("fleet-snapshot", value);
  if (mistake !== null) throw invalid(`${path} is not a whole snapshot: ${mistake}`);
  return value as FleetSnapshot;
}

async function parse(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (isOdoroboError(error)) throw error;
    const what = isErrno(error, "ENOENT") ? "is not there" : "cannot be read as JSON";
    throw invalid(`the snapshot ${path} ${what}`, undefined, error);
  }
}

const invalid = (message: string, hint?: string, cause?: unknown): OdoroboError =>
  new OdoroboError("SNAPSHOT_INVALID", message, { hint: hint ?? "take another: odorobo snapshot > fleet.json", cause });

/** Asks nobody. The same snapshot and flags, the same plan, byte for byte; without assumptions it is the plan of that moment. */
export function planFromSnapshot(
  snapshot: FleetSnapshot,
  {
    selection,
    allowances,
    assumptions,
  }: Pick<PlanRequest, "selection" | "allowances"> & {
    readonly assumptions: readonly Assumption[];
  },
): Plan {
  const known = fromSnapshot(snapshot);
  requireNodes(known.desired, assumptions);
  const { desired, observed } = assume(known.desired, known.observed, assumptions);
  const { source, commit } = snapshot;
  const assumed = assumptions.map(showAssumption);
  const plan = makePlan({ desired, observed, source, commit, selection, allowances, assumed });
  assertPlanKeepsPromises(plan, desired, observed);
  return plan;
}
