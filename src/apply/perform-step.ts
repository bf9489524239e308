/**
 * Carries out one step: one request to one agent. One performer per step kind; add a kind to `schedule/step.ts` and the
 * compiler asks for it here. There is nothing to decide: what happens is all in the step.
 *
 *   apply.ts → retry.ts → [perform-step.ts] → wire/agent-api.ts
 */
import { fromErrorBody, OdoroboError } from "../model/errors.ts";
import type { ImageFetch } from "../model/image-fetch.ts";
import type { Digest, NodeName } from "../model/names.ts";
import { referencedFiles, type VmSpec } from "../model/vm-spec.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { Sleep } from "../platform/sleep.ts";
import type { Step, StepOf, VmStepKind } from "../schedule/step.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import type { Expectation, OperationArgs, OperationResult, PutVmRequest } from "../wire/operations.ts";
import { performMove } from "./perform-move.ts";

export interface PerformContext {
  readonly plan: Pick<Plan, "fleet" | "base" | "specs">;
  readonly files: ReadonlyMap<Digest, string>;
  readonly agent: AgentApi;
  readonly moving: Moving;
  /** What the agent must still see; null: no condition. */
  readonly expect: Expectation | null;
  /** Which run the step belongs to; undefined: none that is kept. */
  readonly run?: string | undefined;
  readonly signal: AbortSignal;
  /** Told of how far an image is. */
  readonly onProgress?: (progress: ImageFetch) => void;
}

/** What a guest that moves between two agents needs beside the one that the step names. */
export interface Moving {
  readonly agentOf: (node: NodeName) => AgentApi;
  /** Of a node's agent, as the other nodes reach it: its manifest's. */
  readonly addressOf: (node: NodeName) => string;
  /** Another each time, and not to be guessed. */
  readonly newTicket: () => string;
  readonly sleep: Sleep;
  /** By the id of a step: what its last try, which failed, left at the source. */
  readonly leftByTries: Map<string, Expectation>;
}

type Performers = {
  readonly [K in VmStepKind]: (step: StepOf<K>, context: PerformContext) => Promise<OperationResult>;
};

/** The VM's own `shutdownGraceSeconds` counts wherever a guest is asked to power off. */
const GRACE_OF_SPEC = { graceSeconds: null } as const;

const performers: Performers = {
  createVm: (step, context) => putVm(step, context),
  updateVm: (step, context) => putVm(step, context),
  bootVm: (step, context) => operate(step, { kind: "boot" }, context),
  shutdownVm: (step, context) => operate(step, { kind: "shutdown", ...GRACE_OF_SPEC }, context),
  rebootVm: (step, context) => operate(step, { kind: "reboot", ...GRACE_OF_SPEC }, context),
  migrateVm: (step, context) => migrate(step, context),
  pauseVm: (step, context) => operate(step, { kind: "pause" }, context),
  resumeVm: (step, context) => operate(step, { kind: "resume" }, context),
  deleteVm: (step, context) => operate(step, { kind: "delete", ...GRACE_OF_SPEC }, context),
};

/** What is known of a step that was done. */
export type Performed = Pick<OperationResult, "noop" | "after" | "detail">;

/** Of an agent that fetches images only when it makes disks there is nothing to ask. */
async function fetchImage(step: StepOf<"fetch">, { agent, onProgress, signal }: PerformContext): Promise<Performed> {
  const { image: name, remote, digest } = step;
  const fetched = await agent.fetchImage?.({ name, remote, digest }, (progress) => onProgress?.(progress), signal);
  return { noop: fetched?.noop ?? true, after: null };
}

/** Resolves when the agent has done it; rejects with an OdoroboError when it has not, or did not say so. */
export async function performStep(step: Step, context: PerformContext): Promise<Performed> {
  if (step.kind === "fetch") return await fetchImage(step, context);
  const perform = performers[step.kind] as (step: Step, context: PerformContext) => Promise<OperationResult>;
  const result = await perform(step, context);
  if (result.outcome === "done") return requireAnswerTo(step, result);
  if (result.outcome === "failed" && result.error !== null) throw fromErrorBody(result.error);
  const what =
    result.outcome === "failed"
      ? "that it failed and not why"
      : "that it is still running, though it was asked to wait";
  throw new OdoroboError("AGENT_PROTOCOL", `${step.node} says of ${step.id} ${what}`, { hint: AGENT_VERSION_HINT });
}

/** The step's request of the plan, resolved: throws where the plan or the texts beside it are not complete. */
export function toPutRequest(
  step: StepOf<"createVm"> | StepOf<"updateVm">,
  context: Omit<PerformContext, "agent" | "moving" | "signal" | "onProgress">,
): PutVmRequest {
  const { plan, files, expect, run } = context;
  const spec = specOf(step, plan);
  return {
    id: step.id,
    fleet: plan.fleet,
    commit: plan.base.commit,
    generation: step.generation,
    spec,
    files: filesOf(step, spec, plan, files),
    expect,
    ...(run === undefined ? {} : { run }),
    ...(step.kind === "updateVm" && step.defer === true ? { defer: true } : {}),
  };
}

const putVm = (step: StepOf<"createVm"> | StepOf<"updateVm">, context: PerformContext): Promise<OperationResult> =>
  context.agent.putVm(step.vm, toPutRequest(step, context), context.signal);

const migrate = async (
  { id, vm, node, fromNode, bandwidthMiBps, mode = "live" }: StepOf<"migrateVm">,
  { agent, moving, plan, expect, run, signal }: PerformContext,
): Promise<OperationResult> => {
  const source = moving.agentOf(fromNode);
  const to = { node, address: moving.addressOf(node) };
  const seen = moving.leftByTries.get(id) ?? expect;
  const ends = { from: fromNode, to, bandwidthMiBps: bandwidthMiBps ?? null, mode };
  const move = { id, vm, fleet: plan.fleet, ...ends, expect: seen, ticket: moving.newTicket(), run };
  // A try that failed has raised the VM's serial: that is no stranger's doing, and the next try expects it.
  const noteFailure = async (): Promise<void> => {
    const now = (await source.report(signal)).vms.find(({ name }) => name === vm);
    if (now !== undefined && now.migration === undefined && now.generation === seen?.generation)
      moving.leftByTries.set(id, { generation: now.generation, serial: now.serial });
  };
  try {
    const result = await performMove(source, agent, move, moving.sleep, signal);
    if (result.outcome !== "done") await noteFailure();
    return result;
  } catch (error) {
    if (!signal.aborted) await noteFailure().catch(() => {});
    throw error;
  }
};

const operate = (step: Step, args: OperationArgs, { agent, plan, expect, run, signal }: PerformContext) =>
  agent.operate(
    step.vm,
    { id: step.id, expect, fleet: plan.fleet, ...(run === undefined ? {} : { run }), ...args },
    signal,
  );

function specOf(step: Step, plan: PerformContext["plan"]): VmSpec {
  if (!Object.hasOwn(plan.specs, step.vm)) {
    throw new OdoroboError("PLAN_BROKEN", `the plan holds no spec for ${step.vm}, which ${step.id} needs`, {
      hint: "make a new plan, and report this as a bug if it happens again",
    });
  }
  return plan.specs[step.vm] as VmSpec;
}

function filesOf(
  step: Step,
  spec: VmSpec,
  plan: PerformContext["plan"],
  files: ReadonlyMap<Digest, string>,
): Readonly<Record<Digest, string>> {
  const texts: Record<Digest, string> = {};
  for (const digest of referencedFiles(spec)) {
    const text = files.get(digest);
    if (text === undefined) {
      const from = plan.base.commit === null ? plan.base.source : `${plan.base.source} at ${plan.base.commit}`;
      throw new OdoroboError(
        "PLAN_STALE",
        `the cloud-init text ${digest.slice(0, 12)} of ${step.vm} is not in the manifests`,
        {
          hint: `a plan holds no such texts: apply it beside the manifests that it was made from (${from}), or make a new plan`,
        },
      );
    }
    texts[digest] = text;
  }
  return texts;
}

const AGENT_VERSION_HINT = "is the agent of the same version as this odorobo?";

/** An answer that belongs to another request, or that leaves the next step of this VM without its precondition, is no answer. */
function requireAnswerTo(step: Step, result: OperationResult): OperationResult {
  const fits = result.id === step.id && result.vm === step.vm && (result.after !== null || step.kind === "deleteVm");
  if (fits) return result;
  const what = result.after === null ? "without saying what the VM now is" : `with ${result.id} of ${result.vm}`;
  throw new OdoroboError("AGENT_PROTOCOL", `${step.node} answered ${step.id} ${what}`, { hint: AGENT_VERSION_HINT });
}
