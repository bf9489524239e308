/** The part of a plan that says what differs and why: changes, what is blocked, unknown or refused. Used by plan, diff and markdown. */

import { describeAmount, plus } from "../../model/capacity.ts";
import { ACTION_SYMBOLS, type Change, type Waiting } from "../../model/changes.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { plural, showCounts, showNames } from "../words/names.ts";
import { ACTION_HUES, type Paint } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";
import { explainBlocked } from "./blocked-text.ts";
import { describePlace } from "./describe-place.ts";
import { type ChangeGroup, type GroupedReason, groupChanges } from "./group-changes.ts";
import { renderLegend } from "./legend.ts";
import { withoutMaintenance } from "./maintenance-text.ts";

/** More members than this are written as ranges, unless verbose. */
const MOST_MEMBERS_ONE_BY_ONE = 12;

/** When a whole rack is silent, the first few nodes say what to do. */
const MOST_NODE_HINTS = 3;

/** `2026-01-04 02:00 UTC` */
const showMinute = (at: string): string => safeLine(`${at.slice(0, 16).replace("T", " ")} UTC`);

/** What waits, by the window that it waits for: what it is, and why, as if it were done. */
export function renderWaiting({ waiting = [] }: Plan, paint: Paint, verbose: boolean): string[] {
  const alike = Map.groupBy(waiting, ({ window }) => JSON.stringify(window));
  return [...alike.values()].flatMap((those) => {
    const { opens, closes, text, source } = (those[0] as Waiting).window;
    const when =
      opens === null
        ? `  ${safeLine(text)}: it waits until there is one`
        : `  opens ${showMinute(opens)}, closes ${showMinute(closes ?? "")} (${safeLine(text)})`;
    return [
      `${paint("yellow", when)}${paint("dim", describePlace(source))}`,
      ...groupChanges(those.map(({ change }) => change)).flatMap((group) => renderGroup(group, paint, verbose)),
    ];
  });
}

export function renderChanges(plan: Plan, paint: Paint, verbose: boolean): string[] {
  const changes = withoutMaintenance(plan.changes, plan.maintenance);
  return [
    ...groupChanges(changes).flatMap((group) => renderGroup(group, paint, verbose)),
    ...renderLegend(changes, paint),
  ];
}

function renderGroup(group: ChangeGroup, paint: Paint, verbose: boolean): string[] {
  const first = group.changes[0] as Change;
  const hue = ACTION_HUES[first.action];
  const symbol = paint(hue, ACTION_SYMBOLS[first.action]);
  const what = paint(hue, describeEffect(first));
  const lines =
    group.changes.length === 1
      ? [
          `  ${symbol} ${paint("bold", safeLine(first.name))} ${describeHome(first)}: ${what}${describeSize(group.changes)}`,
        ]
      : [
          `  ${symbol} ${paint("bold", plural(group.changes.length, "VM"))}: ${what}${describeSize(group.changes)}`,
          ...renderMembers(group.changes, verbose),
        ];
  const classesDiffer = new Set(group.reasons.map((reason) => reason.class)).size > 1;
  return [...lines, ...group.reasons.map((reason) => renderReason(reason, classesDiffer, paint))];
}

/** `update, live`; the class is left out where the action already says it. */
function describeEffect({ action, class: changeClass }: Change): string {
  return action === changeClass || action === "create" || action === "boot" || action === "stop"
    ? action
    : `${action}, ${changeClass}`;
}

/** Of those that something is made or moved for, which takes room: all together. */
function describeSize(changes: readonly Change[]): string {
  const sizes = changes.flatMap(({ action, size }) => (TAKES_ROOM.has(action) && size !== undefined ? [size] : []));
  if (sizes.length < changes.length) return "";
  return ` (${sizes.length > 1 ? "together " : ""}${describeAmount(sizes.reduce(plus))})`;
}

const TAKES_ROOM: ReadonlySet<Change["action"]> = new Set(["create", "boot", "migrate", "replace"]);

const describeHome = (change: Change): string =>
  change.fromNode === null
    ? `on ${safeLine(change.node)}`
    : `from ${safeLine(change.fromNode)} to ${safeLine(change.node)}`;

function renderMembers(changes: readonly Change[], verbose: boolean): string[] {
  if (verbose) return changes.map((change) => `      ${safeLine(change.name)} ${describeHome(change)}`);
  if (changes.length <= MOST_MEMBERS_ONE_BY_ONE) {
    return [`      ${changes.map((change) => `${safeLine(change.name)} ${describeHome(change)}`).join(", ")}`];
  }
  return [
    `      ${showNames(changes.map((each) => each.name))}`,
    `      on ${showCounts(
      changes.map((each) => each.node),
      12,
    )}`,
  ];
}

/** Which reason asks for which class, where they ask for different ones: the label that changed beside the kernel did not cost the reboot. */
function renderReason(reason: GroupedReason, classesDiffer: boolean, paint: Paint): string {
  const asks = classesDiffer ? paint("dim", `[${reason.class}] `) : "";
  return `      ${asks}${safeLine(reason.text)}${paint("dim", describePlace(reason.source, reason.elsewhereToo))}`;
}

export const renderBlocked = (plan: Plan, paint: Paint): string[] =>
  plan.blocked.flatMap((each) => {
    const { name, message, lines: [what = message, ...nodes] = [] } = each;
    // Most begin with the name themselves.
    const rest = what.startsWith(`${name} `) ? what.slice(name.length) : `: ${what}`;
    return [
      `  ${paint("red", "x")} ${paint("bold", safeLine(name))}${safeLine(rest)} ${paint("dim", `(${each.code})`)}${paint("dim", describePlace(each.source))}`,
      ...[...nodes, ...explainBlocked(each)].map((line) => `      ${safeLine(line)}`),
      ...renderHint(each.hint, paint),
    ];
  });

export const renderRefusals = (plan: Plan, paint: Paint): string[] =>
  plan.refusals.flatMap((each) => [
    `  ${paint("red", "x")} ${safeLine(each.message)} ${paint("dim", `(${each.code})`)}${paint("dim", describePlace(each.source ?? null))}`,
    ...renderHint(each.hint, paint),
  ]);

const renderHint = (hint: string, paint: Paint): string[] =>
  hint === "" ? [] : [`      ${paint("cyan", "hint:")} ${safeLine(hint)}`];

/** Nodes one by one; VMs together where the same is known of them: a silent node may hold hundreds. */
export function renderUnknown(plan: Plan, paint: Paint): string[] {
  const mark = paint("yellow", "?");
  const nodes = plan.unknown.filter((each) => each.kind === "Node");
  const alike = Map.groupBy(
    plan.unknown.filter((each) => each.kind === "VirtualMachine"),
    (each) => each.because,
  );
  return [
    ...nodes.flatMap((node, index) => [
      `  ${mark} node ${paint("bold", safeLine(node.name))}: ${safeLine(node.because)}`,
      ...renderHint(index < MOST_NODE_HINTS ? (node.hint ?? "") : "", paint),
    ]),
    ...[...alike].map(([because, vms]) => {
      const count = vms.length === 1 ? "" : `${vms.length} VMs, `;
      return `  ${mark} ${count}${paint("bold", showNames(vms.map((vm) => vm.name)))}: ${safeLine(because)}`;
    }),
  ];
}
