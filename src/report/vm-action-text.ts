/** What an imperative command did to one VM, honestly: also that the manifests want it otherwise. */
import type { VmReport } from "../model/observed-state.ts";
import { wantsRunning } from "../model/vm-spec.ts";
import type { OperationResult } from "../wire/operations.ts";
import { type Paint, paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { showMilliseconds } from "./words/values.ts";

export interface VmAction {
  readonly before: VmReport;
  readonly node: string;
  /** How we reach its agent. */
  readonly address: string;
  readonly result: OperationResult;
  readonly milliseconds: number;
}

export function renderVmAction(
  { before, node, result, milliseconds }: VmAction,
  options: { readonly colour: boolean },
): string {
  const paint = paintWith(options.colour);
  const after = result.after;
  const name = paint("bold", safeLine(before.name));
  if (after === null) return [`${name} on ${safeLine(node)}: gone`, ...warningLines(result, paint)].join("\n");
  const phase = after.reason === null ? after.phase : `${after.phase} (${safeLine(after.reason)})`;
  const what = result.noop
    ? `${phase} already, nothing was done`
    : `${before.phase} → ${phase} in ${showMilliseconds(milliseconds)}`;
  const note = driftNote(after);
  return [
    `${name} on ${safeLine(node)}: ${what}`,
    ...warningLines(result, paint),
    ...(note === null ? [] : [paint("yellow", note)]),
  ].join("\n");
}

/** What went wrong without undoing the act: hooks that failed after it. */
export const warningLines = ({ detail }: OperationResult, paint: Paint): string[] =>
  (detail?.warnings ?? []).map((warning) => paint("yellow", `warning: ${safeLine(warning)}`));

/** Where the run strategy wants something else than what a person just did, the next plan says so; null where it does not. */
function driftNote(vm: VmReport): string | null {
  if (vm.fleet === null) return null;
  const strategy = vm.spec.runStrategy;
  const wants = wantsRunning(strategy, vm.endedBy === "guest");
  const next = (act: string) =>
    `This will show as drift in the next plan: with runStrategy ${strategy}, an apply will ${act}.`;
  if (wants === true && vm.phase === "paused" && vm.stalled === undefined) return next("resume it");
  if (wants === true && vm.phase !== "running" && vm.phase !== "starting") return next("boot it again");
  if (wants === false && (vm.phase === "running" || vm.phase === "paused")) return next("stop it");
  return null;
}
