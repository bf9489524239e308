/**
 * The plan for a pull request: a table that fits a phone, everything else folded. Never longer than a comment may be,
 * and where something was cut it says so. All names and texts come from others: nothing in them is markup here.
 */

import { ACTION_SYMBOLS, type Change } from "../../model/changes.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { cut, escapeMarkdown, fenced } from "../words/markdown.ts";
import { plural, showCounts, showNames } from "../words/names.ts";
import { paintWith } from "../words/paint.ts";
import { renderBlocked, renderChanges, renderRefusals, renderUnknown, renderWaiting } from "./changes-text.ts";
import { renderGanttMermaid } from "./gantt-mermaid.ts";
import { groupChanges } from "./group-changes.ts";
import { describeImpact } from "./impact.ts";
import { renderMaintenance, shortenMaintenance } from "./maintenance-text.ts";
import { describeBase, describeNothing, summarize, titleOfBlocked } from "./plan-summary.ts";
import { renderRooms } from "./rooms-text.ts";
import { renderSchedule } from "./schedule-text.ts";
import { barsOf, describeBasis, describeSeconds, summarizeTimes } from "./times-text.ts";

/** GitHub takes comments of 65,536 characters; GitLab and Gitea take more. The rest is room for what a bot puts around it. */
export const LONGEST_MARKDOWN = 60_000;

/** Shares of the whole. What matters most for a review gets most. */
const BUDGETS = { notices: 12_000, table: 18_000, details: 18_000, steps: 8_000 } as const;
const LONGEST_CELL = 400;

export function renderPlanMarkdown(plan: Plan): string {
  const plain = paintWith(false);
  const title = plan.changes.length === 0 ? describeNothing(plan) : summarize(plan);
  const parts = [
    `### odorobo plan: ${escapeMarkdown(plan.fleet)}`,
    `**${escapeMarkdown(title)}**`,
    ...sayMaintenance(plan),
    ...notice("This plan will not be applied as it stands", renderRefusals(plan, plain)),
    ...notice("Waits for its window, and is not done by this plan", renderWaiting(plan, plain, false)),
    ...notice(titleOfBlocked(plan), renderBlocked(plan, plain)),
    ...notice("Unknown, and therefore left alone", renderUnknown(plan, plain)),
    ...(plan.changes.length === 0 ? [] : [renderTableOf(plan)]),
    ...folded(`Why: ${plural(plan.changes.length, "change")}`, renderChanges(plan, plain, false), BUDGETS.details),
    ...(plan.steps.length === 0
      ? []
      : folded(`Order: ${plural(plan.steps.length, "step")}`, renderSchedule(plan, plain, false), BUDGETS.steps)),
    ...timesOf(plan),
    ...folded(
      "Room on the nodes",
      renderRooms(plan).map((line) => line.trimEnd()),
      BUDGETS.steps,
    ),
    `<sub>${escapeMarkdown(describeBase(plan))} · plan ${escapeMarkdown(plan.id)}</sub>`,
  ];
  return `${parts.join("\n\n")}\n`;
}

/** Forges draw Mermaid; where one does not, the lines still say what goes where and when. A single move is no chart. */
function timesOf(plan: Plan): string[] {
  const { times } = plan;
  if (times === undefined) return [];
  const [bars, long] = [barsOf(plan), describeSeconds(times.makespanSeconds)];
  return [
    `<details><summary>${escapeMarkdown(`When: ${plural(times.moves.length, "move")} in about ${long}`)}</summary>`,
    fenced([summarizeTimes(plan), ...describeBasis(plan)].map((line) => line.trim())),
    ...(bars.length > 1 ? [["```mermaid", ...renderGanttMermaid(bars), "```"].join("\n")] : []),
    "</details>",
  ];
}

/** A line of prose for each node: it is the first thing that a review wants to know. */
const sayMaintenance = (plan: Plan): string[] =>
  renderMaintenance(plan, paintWith(false)).length === 0
    ? []
    : [
        cut(
          renderMaintenance(plan, paintWith(false)).map((line) =>
            line.startsWith("  ") ? `- ${escapeMarkdown(line.trim())}` : `${escapeMarkdown(line)}\n`,
          ),
          BUDGETS.notices / 3,
          (left) => `… and ${plural(left, "more line")}, cut here`,
        ).join("\n"),
      ];

function renderTableOf(plan: Plan): string {
  const rows = groupChanges(plan.changes).map(({ changes, reasons }) => {
    const first = changes[0] as Change;
    const names =
      changes.length === 1
        ? code(first.name)
        : `${changes.length} VMs: ${cell(showNames(changes.map((each) => each.name)))}`;
    const nodes =
      changes.length === 1
        ? first.fromNode === null
          ? code(first.node)
          : `${code(first.fromNode)} → ${code(first.node)}`
        : cell(
            showCounts(
              changes.map((each) => each.node),
              4,
            ),
          );
    const why = cell(reasons.map(({ text }) => shortenMaintenance(text, plan.maintenance)).join("; "));
    return `| ${code(ACTION_SYMBOLS[first.action])} ${first.action} | ${names} | ${nodes} | ${describeImpact(first)} | ${why} |`;
  });
  return [
    "| | VM | node | impact | why |",
    "| --- | --- | --- | --- | --- |",
    ...cut(rows, BUDGETS.table, (left) => `| | *and ${plural(left, "more row")}, cut here* | | | |`),
  ].join("\n");
}

const notice = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0
    ? []
    : [
        `> **${title}**`,
        fenced(cut(lines, BUDGETS.notices / 3, (left) => `… and ${plural(left, "more line")}, cut here`)),
      ];

const folded = (title: string, lines: readonly string[], budget: number): string[] =>
  lines.length === 0
    ? []
    : [
        `<details><summary>${escapeMarkdown(title)}</summary>`,
        fenced(
          cut(
            lines,
            budget,
            (left) => `… and ${plural(left, "more line")}, cut here: odorobo plan --verbose shows all`,
          ),
        ),
        "</details>",
      ];

const cell = (text: string): string =>
  escapeMarkdown(text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL - 1)}…` : text);

/** Names are DNS labels, but a document from a file may say anything. */
const code = (text: string): string => `<code>${escapeMarkdown(text)}</code>`;
