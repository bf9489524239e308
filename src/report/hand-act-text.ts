/** What an act by hand did, in its own words, and what the next plan will make of it. */
import type { VmReport } from "../model/observed-state.ts";
import type { OperationKind } from "../wire/operations.ts";
import { type VmAction, warningLines } from "./vm-action-text.ts";
import { plural } from "./words/names.ts";
import { type Paint, paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { showDifference, showMilliseconds } from "./words/values.ts";

/** Acts that change what runs and not the spec. What else differs is not told at every act. */
const CHANGES: ReadonlySet<OperationKind> = new Set(["resize", "attach", "detach"]);

/** `done`: what was done, as a fragment: `the power button was pressed`. */
export function renderHandAct(
  { before, node, result, milliseconds }: VmAction,
  done: string,
  options: { readonly colour: boolean },
): string {
  const paint = paintWith(options.colour);
  const what = result.noop
    ? "it was so already, nothing was done"
    : `${safeLine(done)} (${showMilliseconds(milliseconds)})`;
  return [
    `${paint("bold", safeLine(before.name))} on ${safeLine(node)}: ${what}`,
    ...warningLines(result, paint),
    ...(result.after === null || !CHANGES.has(result.kind) ? [] : driftNote(result.after, paint)),
  ].join("\n");
}

function driftNote({ fleet, drift }: VmReport, paint: Paint): string[] {
  if (drift.length === 0) return [];
  const fields = drift.flatMap((field) => showDifference(field.path, field.applied, field.live));
  const note =
    fleet === null
      ? `It runs with ${plural(fields.length, "difference")} from the spec that it was given, until its next boot (spec → running):`
      : `The next plan shows this as drift; change the manifest of fleet ${safeLine(fleet)} to keep it (manifest → running):`;
  return [paint("yellow", note), ...fields.map((line) => `  ${line}`)];
}
