/** The rules of a placement: what nobody wrote gets its default, and what an operator or a wish cannot have is a diagnostic. */
import type {
  AffinityRule,
  LabelExpression,
  LabelMatch,
  NodeAffinityRule,
  SpreadRule,
} from "../../model/desired-state.ts";
import type {
  AffinityRule as WrittenAffinity,
  LabelExpression as WrittenExpression,
  NodeAffinityRule as WrittenNodeAffinity,
  SpreadRule as WrittenSpread,
} from "../../model/documents.ts";
import { isWhole, meets } from "../../model/may-live-on.ts";
import type { ReportField } from "../text/source-document.ts";
import { sortKeys } from "./sort-keys.ts";

/** What any of the rules may say. */
type WrittenRule = WrittenNodeAffinity & WrittenAffinity & WrittenSpread;

type Lists = "nodeAffinity" | "affinity" | "antiAffinity" | "spread";

interface Rules {
  readonly nodeAffinity: readonly NodeAffinityRule[];
  readonly affinity: readonly AffinityRule[];
  readonly antiAffinity: readonly AffinityRule[];
  readonly spread: readonly SpreadRule[];
}

type Place = readonly (string | number)[];

export function buildRules(
  written: { readonly [List in Lists]?: readonly WrittenRule[] | null },
  report: ReportField,
): Rules {
  const each = <Built>(list: Lists, build: (rule: WrittenRule) => Built) =>
    (written[list] ?? []).map((rule, index) => {
      const place = ["placement", list, index];
      return { ...buildMatch(rule, place, report), ...build(rule), ...buildWish(rule, place, report) };
    });
  const per = (rule: WrittenRule) => ({ per: rule.per ?? "node" });
  return {
    nodeAffinity: each("nodeAffinity", () => ({})),
    affinity: each("affinity", per),
    antiAffinity: each("antiAffinity", per),
    spread: each("spread", (rule) => ({ ...per(rule), maxSkew: rule.maxSkew ?? 1 })),
  };
}

function buildWish({ required = true, weight }: WrittenRule, place: Place, report: ReportField) {
  if (required && weight !== undefined)
    report([...place, "weight"], {
      code: "conflicting-fields",
      message: "a rule that is required has no weight",
      hint: "leave it out, or make it a wish: required: false",
    });
  return weight === undefined || required ? { required } : { required, weight };
}

function buildMatch({ match, matchExpressions }: WrittenRule, place: Place, report: ReportField): LabelMatch {
  const expressions = (matchExpressions ?? []).map(({ key, operator, values = [] }): LabelExpression => {
    return { key, operator, values: [...new Set(values)].sort() };
  });
  const asks = (matchExpressions ?? []).map((each) => whyMeaningless(each));
  for (const [index, ask] of asks.entries())
    if (ask !== null) report([...place, "matchExpressions", index, "operator"], { code: "conflicting-fields", ...ask });
  if (match === undefined && expressions.length === 0)
    report(place, {
      code: "missing-field",
      message: "a rule needs match or matchExpressions",
      hint: "match: { app: web } means those who have this label",
    });
  if (asks.every((ask) => ask === null))
    for (const [index, { key }] of expressions.entries()) {
      const isLast = expressions.findLastIndex((other) => other.key === key) === index;
      if (!isLast || isPossible(key, match ?? {}, expressions)) continue;
      report([...place, "matchExpressions", index], {
        code: "conflicting-fields",
        message: `no value of ${shown(key)} is all that is asked of it here`,
        hint: "everything in match and matchExpressions must hold: remove one of them",
      });
    }
  return { match: sortKeys(match), ...(expressions.length === 0 ? {} : { expressions }) };
}

const shown = (key: string): string => (/^[A-Za-z0-9._/-]{1,63}$/.test(key) ? key : "this label");

/** Null: its operator and its values go together. */
function whyMeaningless({ operator, values = [] }: WrittenExpression): { message: string; hint: string } | null {
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length > 0) return null;
      return { message: `${operator} needs values`, hint: "such as values: [gold, silver]" };
    case "Exists":
    case "DoesNotExist":
      if (values.length === 0) return null;
      return {
        message: `${operator} has no values`,
        hint: `leave them out, or ${operator === "Exists" ? "In" : "NotIn"}`,
      };
    case "Gt":
    case "Lt":
      if (values.length === 1 && isWhole(values[0])) return null;
      return { message: `${operator} needs one whole number`, hint: 'such as values: ["8"]' };
  }
}

/** Whether some label of this key, or none, is all that is asked of it. */
function isPossible(
  key: string,
  match: Readonly<Record<string, string>>,
  expressions: readonly LabelExpression[],
): boolean {
  const must = Object.hasOwn(match, key) ? [match[key] as string] : null;
  const asked = expressions.filter((each) => each.key === key);
  const lists = asked.flatMap(({ operator, values }) => (operator === "In" ? [values] : []));
  const [some = null] = must === null ? lists : [must];
  const fits = (value: string): boolean => meets({ [key]: value }, { match: {}, expressions: asked });
  if (some !== null) return some.some(fits);
  if (meets({}, { match: {}, expressions: asked })) return true;
  const bounds = asked.flatMap(({ operator, values }) => (operator === "Gt" || operator === "Lt" ? values : []));
  if (bounds.length === 0) return asked.every(({ operator }) => operator !== "DoesNotExist");
  // Between a lower and an upper bound, beside either of them, or past the few that are left out.
  const left = asked.reduce((sum, { operator, values }) => sum + (operator === "NotIn" ? values.length : 0), 0);
  return bounds.some((bound) =>
    Array.from({ length: left + 1 }, (_, index) => BigInt(index + 1)).some(
      (step) => fits(String(BigInt(bound) + step)) || fits(String(BigInt(bound) - step)),
    ),
  );
}
