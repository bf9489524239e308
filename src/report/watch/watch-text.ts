/** What a watch has to say, for people: a line for each thing that happens, and a block with how things stand. */
import { ACTION_SYMBOLS } from "../../model/changes.ts";
import { type ApplyProgress, renderProgressBlock } from "../apply-progress.ts";
import { plural, showNames } from "../words/names.ts";
import { type Hue, type Paint, paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import type { WatchEvent, WatchedChange } from "./watch-event.ts";

/** Null: it is worth no line. What is long (diagnostics, a plan) is printed beside it. */
export function renderWatchEvent(event: WatchEvent, options: { readonly colour: boolean }): string | null {
  const paint = paintWith(options.colour);
  const text = lineOf(event, paint);
  return text === null ? null : `${paint("dim", event.at.slice(11, 19))} ${text}`;
}

function lineOf(event: WatchEvent, paint: Paint): string | null {
  switch (event.event) {
    case "watching":
      return `watching ${safeLine(event.folder)}; Ctrl-C stops the watching, guests run on`;
    case "agent":
      return `an agent for ${safeLine(event.node)} runs in here, and answers on ${safeLine(event.address)}`;
    case "revision":
      return revisionLine(event, paint);
    case "asked":
      return `${paint("yellow", "asks   ")} ${event.revision}: ${showChanges(event.changes)}`;
    case "drift":
      return [
        ...(event.reverted.length === 0
          ? []
          : [`${paint("yellow", "drift  ")} put right: ${showChanges(event.reverted)}`]),
        ...(event.left.length === 0 ? [] : [`${paint("yellow", "drift  ")} left as it is: ${showChanges(event.left)}`]),
      ].join("; ");
    case "trouble":
      return `${paint("red", "trouble")} ${firstLine(event.message ?? "")}${inBrackets(event.code)}`;
    case "void":
      return `${paint("yellow", "void   ")} the answer of ${safeLine(event.by)} came too late: the plan ${event.plan} is asked about no longer`;
    case "held":
      return `${paint("yellow", "waits  ")} for the run ${event.run}, which somebody else executes`;
    case "run":
      return `${paint("cyan", "run    ")} ${event.run}: ${plural(event.steps, "step")}`;
    case "step":
      return stepLine(event, paint);
    case "stopped":
      return stoppedLine(event);
  }
}

const HUES: Readonly<Record<string, Hue>> = { applied: "green", failed: "red", refused: "red", waiting: "yellow" };
/** These come and go within a moment, or say that nothing is new. */
const QUIET: ReadonlySet<string> = new Set(["read", "planned", "unchanged", "replaced"]);

function revisionLine(event: Extract<WatchEvent, { readonly event: "revision" }>, paint: Paint): string | null {
  const { revision, standing, what, message, code } = event;
  if (QUIET.has(standing)) return null;
  if (standing === "seen") return `${paint("dim", "seen   ")} ${revision}: ${safeLine(what)}`;
  const why = message === null ? "" : `: ${firstLine(message)}${inBrackets(code)}`;
  return `${paint(HUES[standing] ?? "dim", standing.padEnd(7))} ${revision}${why}`;
}

function stepLine(event: Extract<WatchEvent, { readonly event: "step" }>, paint: Paint): string {
  const hue = ({ done: "green", failed: "red", skipped: "yellow" } as const)[event.outcome];
  const why = event.message === null ? "" : `: ${firstLine(event.message)}${inBrackets(event.code)}`;
  return `${paint(hue, event.outcome.padEnd(7))} ${safeLine(event.title)}${why}`;
}

function stoppedLine({ running, unseen, run }: Extract<WatchEvent, { readonly event: "stopped" }>): string {
  const known =
    running.length === 0
      ? unseen.length > 0
        ? []
        : ["no guest was running"]
      : [`${running.length === 1 ? "1 guest runs" : `${running.length} guests run`} on: ${showNames(running)}`];
  const guests = [...known, ...(unseen.length > 0 ? [`what runs on ${showNames(unseen)} could not be seen`] : [])].join(
    "; ",
  );
  return `stopped watching; ${guests}${run === null ? "" : `. The run ${run} is left in the middle: watch again, or odorobo runs resume ${run}`}`;
}

const showChanges = (changes: readonly WatchedChange[]): string =>
  changes
    .map(({ name, action, class: each }) => `${ACTION_SYMBOLS[action]} ${safeLine(name)} ${action} (${each})`)
    .join(", ");

const firstLine = (text: string): string => safeLine(text.split("\n")[0] ?? "");
const inBrackets = (code: string | null): string => (code === null ? "" : ` (${code})`);

/** How things stand. */
export interface WatchView {
  readonly fleet: string;
  /** `r3, applied`; null: nothing could be read yet. */
  readonly inForce: string | null;
  /** A newer one that is not in force, and why: `r4 is refused: 1 mistake`. */
  readonly newer: string | null;
  readonly vms: readonly { readonly name: string; readonly node: string; readonly phase: string }[];
  readonly silent: readonly string[];
  /** Of the run that is under way. */
  readonly progress: ApplyProgress | null;
  /** What it does when no run is under way: `planning`. */
  readonly doing: string | null;
  /** What is asked on the last line. */
  readonly question: string | null;
}

const MOST_VMS = 8;

/** At most `rows` lines, each at most `width` wide; the last one is the question, if there is one. */
export function renderWatchBlock(
  view: WatchView,
  options: { readonly colour: boolean; readonly rows: number; readonly width: number },
): string[] {
  const paint = paintWith(options.colour);
  const clip = (text: string) => (text.length > options.width ? `${text.slice(0, options.width - 1)}…` : text);
  const running = view.vms.filter(({ phase }) => phase === "running").length;
  const head = `${view.fleet}: ${running} of ${plural(view.vms.length, "VM")} running, ${view.inForce ?? "nothing read yet"}`;
  const lines = [paint("bold", clip(head))];
  const most = Math.max(0, Math.min(MOST_VMS, options.rows - 4));
  for (const { name, node, phase } of view.vms.slice(0, most))
    lines.push(clip(`  ${safeLine(name)} on ${safeLine(node)}: ${phase}`));
  if (view.vms.length > most) lines.push(clip(`  and ${view.vms.length - most} more`));
  if (view.silent.length > 0) lines.push(paint("red", clip(`  no answer from ${showNames(view.silent)}`)));
  if (view.newer !== null) lines.push(paint("red", clip(`  ${safeLine(view.newer)}`)));
  if (view.progress !== null)
    lines.push(...renderProgressBlock(view.progress, { ...options, rows: 3 }).map((line) => `  ${line}`));
  else if (view.doing !== null) lines.push(paint("dim", clip(`  ${view.doing}`)));
  return view.question === null ? lines : [...lines, paint("yellow", clip(view.question))];
}
