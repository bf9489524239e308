/** What an apply has done so far: a fold over its events, and a bounded block that shows it while it runs. */
import type { ApplyEvent } from "../apply/apply-report.ts";
import { type Paint, paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { showMilliseconds } from "./words/values.ts";
import { clip } from "./words/width.ts";

export interface ApplyProgress {
  readonly steps: number;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  /** Titles of what runs now, by step id, oldest first. */
  readonly inFlight: ReadonlyMap<string, string>;
  /** How far those are of which that is known, by step id. */
  readonly howFar?: ReadonlyMap<string, string>;
}

export const NO_PROGRESS: ApplyProgress = { steps: 0, done: 0, failed: 0, skipped: 0, inFlight: new Map() };

export function advance(progress: ApplyProgress, event: ApplyEvent): ApplyProgress {
  switch (event.event) {
    case "started":
      return { ...NO_PROGRESS, steps: event.steps };
    case "step-started":
      return { ...progress, inFlight: new Map(progress.inFlight).set(event.id, event.title) };
    case "step-ended": {
      const inFlight = new Map(progress.inFlight);
      inFlight.delete(event.report.id);
      const howFar = new Map(progress.howFar);
      howFar.delete(event.report.id);
      return {
        ...progress,
        inFlight,
        ...(howFar.size === 0 ? {} : { howFar }),
        [event.report.outcome]: progress[event.report.outcome] + 1,
      };
    }
    case "step-progress":
      return { ...progress, howFar: new Map(progress.howFar).set(event.id, describeFetched(event)) };
    case "step-retried":
    case "interrupting":
    case "ended":
      return progress;
  }
}

/** One line for each event worth one, for logs and pipes; null for the others. */
export function renderApplyEvent(
  event: ApplyEvent,
  progress: ApplyProgress,
  options: { readonly colour: boolean },
): string | null {
  const paint = paintWith(options.colour);
  switch (event.event) {
    case "step-ended": {
      const { report } = event;
      const ended = progress.done + progress.failed + progress.skipped;
      const count = paint("dim", `[${String(ended).padStart(String(progress.steps).length)}/${progress.steps}]`);
      return `${count} ${renderStepEnd(report.outcome, paint)} ${safeLine(report.title)}${describeOutcome(event.report)}`;
    }
    case "step-retried":
      return `${paint("yellow", "again")} ${safeLine(event.title)} in ${showMilliseconds(event.inMilliseconds)}: ${safeLine(event.error.message)}`;
    case "interrupting":
      return paint(
        "yellow",
        `Interrupted: finishing ${event.inFlight} in flight, starting nothing new. Ctrl-C again stops waiting for them.`,
      );
    case "started":
    case "step-started":
    case "step-progress":
    case "ended":
      return null;
  }
}

/** `: 120 of 412 MiB, 55 MiB/s`. */
function describeFetched({
  bytes,
  totalBytes,
  bytesPerSecond,
}: Extract<ApplyEvent, { readonly event: "step-progress" }>): string {
  const mib = (count: number) => Math.floor(count / 1024 ** 2);
  const rate = bytesPerSecond === null ? "" : `, ${mib(bytesPerSecond)} MiB/s`;
  return `: ${mib(bytes)}${totalBytes === null ? "" : ` of ${Math.ceil(totalBytes / 1024 ** 2)}`} MiB${rate}`;
}

const renderStepEnd = (outcome: "done" | "failed" | "skipped", paint: Paint): string =>
  outcome === "done"
    ? paint("green", "done   ")
    : outcome === "failed"
      ? paint("red", "failed ")
      : paint("yellow", "skipped");

function describeOutcome(report: Extract<ApplyEvent, { event: "step-ended" }>["report"]): string {
  if (report.outcome === "skipped") return report.skippedBecause === null ? "" : `: ${safeLine(report.skippedBecause)}`;
  if (report.outcome === "failed")
    return report.error === null ? "" : `: ${safeLine(report.error.message)} (${report.error.code})`;
  return ` (${report.noop ? "was so already" : showMilliseconds(report.milliseconds)})`;
}

/** For a terminal, redrawn in place: a count and at most `rows` of what runs now, each at most `width` wide. */
export function renderProgressBlock(
  progress: ApplyProgress,
  options: { colour: boolean; rows: number; width: number },
): string[] {
  const paint = paintWith(options.colour);
  const { steps, done, failed, skipped, inFlight } = progress;
  const parts = [`${done}/${steps} done`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (skipped > 0) parts.push(`${skipped} skipped`);
  const titles = [...inFlight].map(([id, title]) => `${title}${progress.howFar?.get(id) ?? ""}`);
  const shown = titles.slice(0, options.rows).map((title) => clip(`  ${safeLine(title)}`, options.width));
  if (titles.length > options.rows) shown.push(clip(`  and ${titles.length - options.rows} more`, options.width));
  return [paint("bold", clip(parts.join(", "), options.width)), ...shown];
}
