/** What a watch has to say, for people: a line for each thing that happens, and a block with how things stand. */
import { ACTION_SYMBOLS, type Action } from "../../model/changes.ts";
import { type ApplyProgress, renderProgressBlock } from "../apply-progress.ts";
import { plural, showNames } from "../words/names.ts";
import { type Hue, type Paint, paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { clip, tail, widthOf } from "../words/width.ts";
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
      return `${paint("yellow", "asks   ")} ${event.revision}: ${showChanges(event.changes)}${event.run === null ? "" : `, as the run ${event.run}`}`;
    case "drift":
      return [
        ...(event.reverted.length === 0
          ? []
          : [`${paint("yellow", "drift  ")} put right: ${showChanges(event.reverted)}`]),
        ...(event.left.length === 0 ? [] : [`${paint("yellow", "drift  ")} left as it is: ${showChanges(event.left)}`]),
      ].join("; ");
    case "source":
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
  return `stopped watching; ${guests}${run === null ? "" : `. The run ${run} is left in the middle`}`;
}

const showChanges = (changes: readonly WatchedChange[]): string =>
  changes
    .map(
      ({ name, action, class: each }) =>
        `${ACTION_SYMBOLS[action]} ${safeLine(name)} ${action}${action === each ? "" : ` (${each})`}`,
    )
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
  readonly question: WatchQuestion | null;
}

/** A plan that waits for an answer. */
export interface WatchQuestion {
  readonly changes: readonly {
    readonly name: string;
    readonly node: string;
    readonly action: Action;
    readonly impact: string;
  }[];
  /** The command that says yes from another terminal; null: there is none. */
  readonly elsewhere: string | null;
  /** So far, behind the question. */
  readonly typed: string;
}

const MOST_VMS = 8;

/** At most `rows` lines, each at most `width` wide; the last one is the question with what was typed, if there is one. */
export function renderWatchBlock(
  view: WatchView,
  options: { readonly colour: boolean; readonly rows: number; readonly width: number },
): string[] {
  const { width, rows } = options;
  const paint = paintWith(options.colour);
  const running = view.vms.filter(({ phase }) => phase === "running").length;
  const head = `${safeLine(view.fleet)}: ${running} of ${plural(view.vms.length, "VM")} running, ${view.inForce ?? "nothing read yet"}`;
  const question = view.question === null ? [] : questionLines(view.question, width, paint);
  const trouble = [
    ...(view.silent.length > 0 ? [`  no answer from ${showNames(view.silent)}`] : []),
    ...(view.newer === null ? [] : [`  ${safeLine(view.newer)}`]),
  ].map((text) => paint("red", clip(text, width)));
  const doing =
    view.progress !== null
      ? renderProgressBlock(view.progress, { ...options, width: width - 2, rows: 3 }).map((line) => `  ${line}`)
      : view.doing === null
        ? []
        : [paint("dim", clip(`  ${view.doing}`, width))];
  // What asks, fails or moves is worth more than the list of those that are well.
  const left = rows - 1 - trouble.length - doing.length - question.length;
  const most = Math.max(0, Math.min(MOST_VMS, view.vms.length > left ? left - 1 : left));
  const vms = inOrder(view.vms)
    .slice(0, most)
    .map(({ name, node, phase }) => clip(`  ${safeLine(name)} on ${safeLine(node)}: ${phase}`, width));
  if (view.vms.length > most && left > 0)
    vms.push(clip(`  ${most === 0 ? "" : "and "}${view.vms.length - most} more`, width));
  const lines = [paint("bold", clip(head, width)), ...vms, ...trouble, ...doing];
  // A window of a few rows: the question is kept, whatever else goes.
  return [...lines.slice(0, Math.max(0, rows - question.length)), ...question].slice(-Math.max(1, rows));
}

/** Those first that are not as most are. */
const inOrder = (vms: WatchView["vms"]): WatchView["vms"] =>
  vms.toSorted((a, b) => Number(a.phase === "running") - Number(b.phase === "running"));

const MOST_ASKED = 3;
const QUESTIONS = ['Apply this plan? Type "yes" or "no":', "Apply it, yes or no?", "yes or no?"] as const;

function questionLines({ changes, elsewhere, typed }: WatchQuestion, width: number, paint: Paint): string[] {
  const asked = changes
    .slice(0, MOST_ASKED)
    .map(
      ({ name, node, action, impact }) =>
        `  ${ACTION_SYMBOLS[action]} ${safeLine(name)} ${action}: ${impact} for its users, on ${safeLine(node)}`,
    );
  if (changes.length > MOST_ASKED) asked.push(`  and ${changes.length - MOST_ASKED} more`);
  // Half a command is none; it stands above, too.
  const other = `  or elsewhere: ${elsewhere}`;
  if (elsewhere !== null && widthOf(other) <= width) asked.push(other);
  // The answer has its place behind it.
  const text = QUESTIONS.find((each) => each.length + 6 <= width) ?? QUESTIONS[2];
  const room = Math.max(1, width - text.length - 2);
  return [
    ...asked.map((each) => paint("yellow", clip(each, width))),
    `${paint("yellow", text)} ${tail(safeLine(typed), room)}`,
  ];
}
