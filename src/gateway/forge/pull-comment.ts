/** The one comment that a pull request gets: its plan, what it was made of, and whether it still holds. Texts in it are strangers'. */
import type { OdoroboError } from "../../model/errors.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { renderPlanMarkdown } from "../../report/plan/plan-markdown.ts";
import { renderPlan } from "../../report/plan/plan-text.ts";
import { cut, escapeMarkdown, fenced } from "../../report/words/markdown.ts";
import { safeLines } from "../../report/words/safe-text.ts";
import type { ForgeLimits } from "./forge.ts";
import type { PullVerdict } from "./pull-verdict.ts";

export interface PlannedPull {
  /** Of the gateway's entry. */
  readonly fleet: string;
  /** The branch that it wants into, and the commit of that. */
  readonly base: { readonly ref: string; readonly commit: string };
  readonly head: string;
  /** Null: they have nothing in common. */
  readonly mergeBase: string | null;
  /** Names of nodes of the pull request that are not asked before it is merged. */
  readonly unasked: readonly string[];
  readonly result:
    | { readonly plan: Plan; readonly verdict: PullVerdict }
    | { readonly error: OdoroboError }
    | { readonly conflict: true };
  /** Why it holds no more; null: it does. */
  readonly stale: string | null;
}

/** Found again by it. Fleets' names are labels, so nothing in it ends it. */
export const markerOf = (fleet: string, { html }: Pick<ForgeLimits, "html">): string =>
  // A definition that nobody refers to is not shown either, and is no HTML.
  html ? `<!-- odorobo:plan:${fleet} -->` : `[odorobo-plan-${fleet}]: #odorobo`;

/** What is put around a plan takes less. */
const FRAME = 3_000;
const short = (commit: string): string => commit.slice(0, 12);

export function renderPullComment(pull: PlannedPull, limits: ForgeLimits): string {
  const { fleet, stale, result } = pull;
  const parts = [
    markerOf(fleet, limits),
    ...(stale === null ? [] : [`> **Stale: ${escapeMarkdown(stale)}.** It is planned again soon.`]),
    ...("plan" in result ? [...judged(result.verdict), ...planned(result.plan, limits)] : failed(pull, limits)),
    ...unasked(pull),
    footer(pull, limits),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** More are in the plan itself. */
const NAMED_AT_MOST = 20;

function judged({ forbidden, asks }: PullVerdict): string[] {
  const list = (changes: readonly string[]) => {
    const more = changes.length > NAMED_AT_MOST ? ` and ${changes.length - NAMED_AT_MOST} more` : "";
    return `${changes.slice(0, NAMED_AT_MOST).map(escapeMarkdown).join(", ")}${more}`;
  };
  if (forbidden.length > 0)
    return [`**Merged like this it would be refused:** policy.gateway lets nobody do ${list(forbidden)}.`];
  return asks.length === 0 ? [] : [`Merged, it waits for an approval of ${list(asks)}.`];
}

function planned(plan: Plan, { html, comment }: ForgeLimits): string[] {
  if (html) return [renderPlanMarkdown(plan).trimEnd()];
  const text = renderPlan(plan, { colour: false, verbose: false }).trimEnd();
  return [fenced(cut(text.split("\n"), comment - FRAME, left))];
}

function failed({ fleet, base, result }: PlannedPull, { comment }: ForgeLimits): string[] {
  const title = `### odorobo plan: ${escapeMarkdown(fleet)}`;
  if ("plan" in result) return [];
  if ("conflict" in result)
    return [
      title,
      `**There is no plan: it conflicts with ${escapeMarkdown(base.ref)}, or has nothing in common with it.**`,
    ];
  const { message, hint } = result.error;
  const lines = safeLines([message, ...(hint === undefined ? [] : [`hint: ${hint}`])].join("\n")).split("\n");
  return [
    title,
    "**There is no plan, and merged like this there will be none.**",
    fenced(cut(lines, Math.min(20_000, comment - FRAME), left)),
  ];
}

const left = (count: number): string => `… and ${count} more lines, cut here: this forge takes no longer comment`;

function unasked({ unasked: names, base }: PlannedPull): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, 20).map(escapeMarkdown).join(", ");
  const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return [
    `Not asked before it is merged, as ${escapeMarkdown(base.ref)} does not name them at that address: ${shown}${more}.`,
  ];
}

function footer({ base, head, mergeBase }: PlannedPull, { html }: ForgeLimits): string {
  const from = mergeBase === null ? "with no merge base" : `merge base ${short(mergeBase)}`;
  const text = `${short(head)} merged with ${escapeMarkdown(base.ref)} at ${short(base.commit)}, ${from}. Only planned: nothing is done before it is merged, and then it is planned anew.`;
  return html ? `<sub>${text}</sub>` : text;
}
