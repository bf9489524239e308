/** Where in the life of a VM the administrator's hooks are run, and what their failures mean. */
import { isOdoroboError } from "../../../model/errors.ts";
import type { HookAct, HookSubject } from "../../hooks/hooks.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import type { Operation, Slot } from "../parts/slot.ts";
import type { Outcome } from "./run-operation.ts";

type Asked = Pick<Operation, "id" | "kind"> | null;

/** Rejects with HOOK_FAILED: then nothing is done. `vm`: as it will be, where it is not in the slot yet. */
export async function runBeforeHooks(parts: Parts, vm: VmRecord, act: HookAct, asked: Asked): Promise<void> {
  await parts.hooks.run(`before-${act}`, subjectOf(parts, vm, asked), parts.stopping);
}

/**
 * What was done is not undone: a failure is an event, a line in the log, and what is returned, as sentences.
 * Should the agent be killed meanwhile, they are not run again.
 */
export async function runAfterHooks(
  parts: Parts,
  slot: Slot,
  act: HookAct,
  asked: Asked,
  vm: VmRecord | null = slot.stored?.state === "present" ? slot.stored : null,
): Promise<readonly string[]> {
  if (vm === null) return [];
  try {
    await parts.hooks.run(`after-${act}`, subjectOf(parts, vm, asked), parts.stopping);
    return [];
  } catch (error) {
    if (parts.stopping.aborted) return [];
    const what = isOdoroboError(error) ? error.message : "a hook failed for a reason that odorobo did not foresee";
    const message = `${slot.name}: ${what}; the ${act} was done and stays`;
    parts.logger.error({ err: error, vm: slot.name }, message);
    parts.events.emit({ kind: "operation", vm: slot.name, message });
    return [message];
  }
}

const subjectOf = (parts: Parts, vm: VmRecord, asked: Asked): HookSubject => ({
  node: parts.node.name,
  vm: { name: vm.name, fleet: vm.fleet, generation: vm.generation, phase: vm.phase, spec: vm.spec },
  operation: asked === null ? null : { id: asked.id, kind: asked.kind },
});

/** Of an act that left a guest running, or none where none should be. */
export async function withAfterHooks(
  parts: Parts,
  slot: Slot,
  act: HookAct,
  asked: Asked,
  outcome: Outcome,
): Promise<Outcome> {
  if (outcome.stored?.state !== "present" || (act === "boot" && outcome.stored.guest === null)) return outcome;
  return withWarnings(outcome, await runAfterHooks(parts, slot, act, asked, outcome.stored));
}

export function withWarnings(outcome: Outcome, warnings: readonly string[]): Outcome {
  if (warnings.length === 0) return outcome;
  return { ...outcome, detail: { ...outcome.detail, warnings: [...(outcome.detail?.warnings ?? []), ...warnings] } };
}
