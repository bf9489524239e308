/**
 * The plan for a person at a terminal, rendered from the document and nothing else.
 * Summary first, then what changes and why, then what cannot be done or was not seen, then the order, then what to type next.
 */
import type { Plan } from "../../plan/plan-document.ts";
import { type Paint, paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { renderBlocked, renderChanges, renderRefusals, renderUnknown, renderWaiting } from "./changes-text.ts";
import { renderMaintenance } from "./maintenance-text.ts";
import { describeBase, describeNothing, summarize, titleOfBlocked } from "./plan-summary.ts";
import { renderRooms } from "./rooms-text.ts";
import { renderSchedule } from "./schedule-text.ts";
import { renderTimes } from "./times-text.ts";

export interface RenderPlanOptions {
  readonly colour: boolean;
  /** Every member of a group and every step. */
  readonly verbose: boolean;
  /** The command that carries it out: `odorobo apply plan.json`. Null: none is offered. */
  readonly next?: string | null;
}

export function renderPlan(plan: Plan, options: RenderPlanOptions): string {
  const paint = paintWith(options.colour);
  const sections = [
    renderHead(plan, paint),
    renderMaintenance(plan, paint),
    renderChanges(plan, paint, options.verbose),
    ...renderRest(plan, paint, options.verbose),
    plan.steps.length === 0 ? [] : renderSchedule(plan, paint, options.verbose),
    renderTimes(plan, paint),
    renderRooms(plan),
    renderEnd(plan, paint, options.next === undefined ? "odorobo apply" : options.next),
  ];
  return joinSections(sections);
}

/** Only what differs and why: no order, nothing to type. */
export function renderDiff(plan: Plan, options: RenderPlanOptions): string {
  const paint = paintWith(options.colour);
  return joinSections([
    renderHead(plan, paint),
    renderMaintenance(plan, paint),
    renderChanges(plan, paint, options.verbose),
    ...renderRest(plan, paint, options.verbose),
  ]);
}

const joinSections = (sections: readonly (readonly string[])[]): string =>
  sections
    .filter((section) => section.length > 0)
    .map((section) => section.join("\n"))
    .join("\n\n");

function renderHead(plan: Plan, paint: Paint): string[] {
  const title = plan.changes.length === 0 ? describeNothing(plan) : `Plan: ${summarize(plan)}`;
  return [
    paint("bold", title),
    paint("dim", `fleet ${safeLine(plan.fleet)}, from ${safeLine(describeBase(plan))}, plan ${safeLine(plan.id)}`),
  ];
}

function renderRest(plan: Plan, paint: Paint, verbose: boolean): string[][] {
  const section = (title: string, lines: string[]) => (lines.length === 0 ? [] : [title, ...lines]);
  return [
    section("Waits for its window, and is not done by this plan:", renderWaiting(plan, paint, verbose)),
    section(`${titleOfBlocked(plan)}:`, renderBlocked(plan, paint)),
    section("Unknown, and therefore left alone:", renderUnknown(plan, paint)),
    section("Refused:", renderRefusals(plan, paint)),
  ];
}

function renderEnd(plan: Plan, paint: Paint, next: string | null): string[] {
  if (plan.refusals.length > 0) return ["This plan will not be applied as it stands."];
  if (!plan.applyable) return [];
  const missing = plan.complete ? [] : [`It leaves ${describeMissing(plan)}.`];
  return next === null ? missing : [...missing, `To carry it out: ${paint("bold", next)}`];
}

function describeMissing(plan: Plan): string {
  const parts: string[] = [];
  if (plan.unknown.length > 0) parts.push("what could not be seen");
  if (plan.waiting !== undefined) parts.push("what waits for its window");
  if (plan.blocked.length > 0) parts.push("what is blocked");
  if (plan.base.selection !== null) parts.push("what was not selected");
  return parts.length === 0 ? "something for a later plan" : `out ${parts.join(" and ")}`;
}
