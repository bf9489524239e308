/** What `decide` needs to know of a plan: no steps, no specs. */
import type { ChangeClass } from "../../model/change-class.ts";
import type { Action, Change } from "../../model/changes.ts";
import { digestOf } from "../../model/digest.ts";
import type { Digest, Instant, VmName } from "../../model/names.ts";
import type { Plan, Refusal } from "../../plan/plan-document.ts";

export interface ChangeFacts {
  readonly name: VmName;
  readonly action: Action;
  readonly class: ChangeClass;
  /** Nobody changed the manifests: somebody changed the guest, or it ended. */
  readonly isDrift: boolean;
  /** It had been made, and somebody deleted it who did not say so in the manifests: whoever did it may mean it. */
  readonly isMadeAnew?: true;
}

/** For people: `web-1 (reboot)`. */
export const showChange = ({ name, class: each, isMadeAnew }: ChangeFacts): string =>
  isMadeAnew ? `${name} (made anew: somebody deleted it)` : `${name} (${each})`;

export interface PlanFacts {
  readonly id: string;
  /** Of what is to be done to whom and why: equal for the same changes, found at another moment. */
  readonly substance: Digest;
  readonly changes: readonly ChangeFacts[];
  readonly refusals: readonly Pick<Refusal, "code" | "message" | "hint">[];
  readonly blocked: readonly { readonly name: VmName; readonly message: string; readonly hint: string }[];
  /** Names of nodes and VMs that could not be seen. */
  readonly unknown: readonly string[];
  /** What is left to windows that are not open. */
  readonly awaited: readonly VmName[];
  /** When the first of those opens; null: none does. */
  readonly opens: Instant | null;
}

export function factsOf(plan: Plan): PlanFacts {
  const waiting = plan.waiting ?? [];
  const opens = waiting.flatMap(({ window }) => (window.opens === null ? [] : [window.opens])).sort();
  return {
    id: plan.id,
    substance: digestOf(
      plan.changes.map(({ name, node, action, class: each, reasons }) => [
        name,
        node,
        action,
        each,
        reasons.map(({ text }) => text),
      ]),
    ),
    changes: plan.changes.map((change) => ({
      name: change.name,
      action: change.action,
      class: change.class,
      isDrift: isDrift(change),
    })),
    refusals: plan.refusals.map(({ code, message, hint }) => ({ code, message, hint })),
    blocked: plan.blocked.map(({ name, message, hint }) => ({ name, message, hint })),
    unknown: plan.unknown.map(({ name }) => name),
    awaited: waiting.map(({ change }) => change.name),
    opens: opens[0] ?? null,
  };
}

const isDrift = ({ reasons }: Change): boolean =>
  reasons.every(({ because }) => because === "drift" || because === "state");
