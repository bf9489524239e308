/** `odorobo explain`, for people: where it is and why, what is to be done and why nothing milder, who else could have it. */
import type { Change, RejectedChain } from "../../model/changes.ts";
import type { SourcePosition } from "../../model/desired-state.ts";
import type { OwedChange } from "../../model/observed-state.ts";
import type { DecisiveValue } from "../../what-if/decisive-values.ts";
import type { ExplainedStep, Explanation } from "../../what-if/explain-vm.ts";
import { sayFilters } from "../words/filters.ts";
import { type Paint, paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { someNames } from "./some-names.ts";

export interface ExplanationOptions {
  readonly colour: boolean;
  /** Of a snapshot not every place is known: what has none is not told as a default then. */
  readonly fromSnapshot?: boolean;
}

export function renderExplanation(explanation: Explanation, options: ExplanationOptions): string {
  const paint = paintWith(options.colour);
  const { steps, rejected, pending, values } = explanation;
  return [
    renderHome(explanation, paint),
    renderOutcome(explanation, paint),
    section(
      "Its steps, in order:",
      steps.flatMap((step, index) => renderStep(step, index, paint)),
    ),
    section(
      "Milder, and why not:",
      rejected.map((each) => renderRejected(each, paint)),
    ),
    section(
      "Pending: applied, and not in the guest yet:",
      pending.map((each) => renderPending(each, paint)),
    ),
    renderElsewhere(explanation, paint),
    section("What its manifest says of this:", renderValues(values, paint, options.fromSnapshot === true)),
  ]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [title, ...lines];

const place = (source: SourcePosition | null, paint: Paint): string =>
  source === null ? "" : paint("dim", `  ${safeLine(source.file)}:${source.line}`);

function renderHome({ vm, home }: Explanation, paint: Paint): readonly string[] {
  const name = paint("bold", safeLine(vm));
  const nodes = home.nodes.map(safeLine).join(" and ");
  const where = {
    present: `${name} is on ${nodes}, ${home.phase}.`,
    absent: `${name} is nowhere.`,
    unknown: `Nobody knows where ${name} is.`,
    "two-homes": `${name} is on ${nodes}.`,
  }[home.state];
  return [where, ...home.because.map(({ text, source }) => `  ${safeLine(text)}${place(source, paint)}`)];
}

function renderOutcome(explanation: Explanation, paint: Paint): readonly string[] {
  const { change, blocked, unknown, outcome, refusals } = explanation;
  const refused = refusals.map(
    ({ message }) => `  ${paint("red", "refused")}: ${safeLine(message)}; nothing of the plan is done`,
  );
  if (change !== null) return [...renderChange(change, paint), ...renderWindow(explanation, paint), ...refused];
  if (blocked !== null)
    return [
      `The plan leaves it as it is: ${safeLine(blocked.message)} (${blocked.code})${place(blocked.source, paint)}`,
      ...(blocked.hint === "" ? [] : [`  ${paint("cyan", "hint:")} ${safeLine(blocked.hint)}`]),
    ];
  if (unknown !== null) return [`The plan leaves it alone: it ${safeLine(unknown.because)}`];
  return [
    {
      foreign: "It is not this fleet's: no plan touches it.",
      leftOut: "The plan leaves it out, or has nothing to do to it.",
      unchanged: "The plan has nothing to do to it: it is as its manifest says.",
      changes: "",
      waits: "",
      blocked: "",
      unknown: "",
    }[outcome],
  ];
}

function renderChange({ action, class: changeClass, node, fromNode, reasons }: Change, paint: Paint): string[] {
  const where = fromNode === null ? `on ${safeLine(node)}` : `from ${safeLine(fromNode)} to ${safeLine(node)}`;
  const what = action === changeClass ? action : `${action}, ${changeClass}`;
  return [
    `The plan: ${paint("bold", what)} ${where}, because`,
    ...reasons.map((each) => `  ${paint("dim", `[${each.class}]`)} ${safeLine(each.text)}${place(each.source, paint)}`),
  ];
}

function renderWindow({ window }: Explanation, paint: Paint): string[] {
  if (window === null) return [];
  const when = window.opens === null ? "" : `, which opens at ${window.opens}`;
  return [
    `  ${paint("yellow", "It waits for its window")}${when}: ${safeLine(window.text)}${place(window.source, paint)}`,
  ];
}

function renderStep({ text, class: changeClass, waitsFor, predicted }: ExplainedStep, index: number, paint: Paint) {
  const when =
    predicted === undefined
      ? ""
      : `, from ${predicted.startSeconds} s to ${predicted.endSeconds} s as predicted, standing still for ${predicted.downtimeMs} ms`;
  return [
    `  ${index + 1}. ${safeLine(text)} ${paint("dim", `[${changeClass}]`)}${when}`,
    ...waitsFor.map(({ text: other }) => `       waits for: ${safeLine(other)}`),
  ];
}

const renderRejected = ({ chain, field, because }: RejectedChain, paint: Paint): string =>
  `  ${paint("bold", chain.join(", then "))}${field === null ? "" : ` of ${safeLine(field)}`}: ${safeLine(because)}`;

const renderPending = ({ path, since, held }: OwedChange, paint: Paint): string =>
  `  ${paint("bold", safeLine(path))} since ${since}: ${held ? "the guest was asked to let go of it and has not; its next boot is without it" : "its next boot has it"}`;

function renderElsewhere({ elsewhere, home, change }: Explanation, paint: Paint): readonly string[] {
  if (elsewhere === null) return [];
  const { rooted, onlyOff, node, able, filters } = elsewhere;
  if (rooted !== null) return [`It cannot go to another node as it is: ${safeLine(rooted)}.`];
  const would =
    node === null
      ? paint("yellow", "no node")
      : `${someNames(able)}${able.length > 1 ? `; it would get ${paint("bold", safeLine(node))}, the best by its preferences, then the emptiest` : ""}`;
  const title = home.state === "absent" || change?.fromNode != null ? "Nodes for it" : "Nodes it could go to";
  const off = onlyOff === null ? "" : `, switched off for the way: ${safeLine(onlyOff)}`;
  return [`${title}${off}: ${would}`, `  ${sayFilters(filters)}`];
}

function renderValues(values: readonly DecisiveValue[], paint: Paint, fromSnapshot: boolean): string[] {
  const byDefault = fromSnapshot ? "" : paint("dim", "  (by default)");
  const width = values.reduce((most, { pointer }) => Math.max(most, nameOf(pointer).length), 0);
  return values.map(
    ({ pointer, value, source }) =>
      `  ${paint("dim", nameOf(pointer).padEnd(width))}  ${safeLine(value)}${source === null ? byDefault : place(source, paint)}`,
  );
}

const nameOf = (pointer: string): string => pointer.replace("/spec/", "").replaceAll("/", ".");
