/** Whether what was read is what a loop remembers, to its innermost field: nothing is done because of half a state. */
import { CHANGE_CLASSES } from "../../model/change-class.ts";
import { STANDINGS } from "../revision/revision.ts";

type Check = (value: unknown, place: string) => string | null;

const is =
  (what: string, holds: (value: unknown) => boolean): Check =>
  (value, place) =>
    holds(value) ? null : `${place} is not ${what}`;
const text = is("a text", (value) => typeof value === "string");
const flag = is("true or false", (value) => typeof value === "boolean");
const count = is("a count", (value) => Number.isInteger(value) && (value as number) >= 0);
const moment = is("a time", (value) => typeof value === "string" && !Number.isNaN(Date.parse(value)));
const oneOf = (...words: readonly string[]): Check =>
  is(`one of ${words.join(", ")}`, (value) => words.includes(value as string));
const orNull =
  (check: Check): Check =>
  (value, place) =>
    value === null ? null : check(value, place);
const list =
  (check: Check): Check =>
  (value, place) =>
    Array.isArray(value)
      ? (value.map((each, index) => check(each, `${place}[${index}]`)).find((each) => each !== null) ?? null)
      : `${place} is not a list`;
/** Fields with `?` may be missing. More than these may be there. */
const record =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return `${place} is not a record`;
    for (const [field, check] of Object.entries(fields)) {
      const name = field.replace(/\?$/, "");
      const inner: unknown = (value as Readonly<Record<string, unknown>>)[name];
      if (inner === undefined && name !== field) continue;
      const problem = check(inner, `${place}.${name}`);
      if (problem !== null) return problem;
    }
    return null;
  };

const because = record({ code: orNull(text), message: text, "hint?": text });
const changeClass = oneOf(...CHANGE_CLASSES);
const plan = record({
  id: text,
  substance: text,
  changes: list(record({ name: text, action: text, class: changeClass, isDrift: flag })),
  refusals: list(record({ code: text, message: text, hint: text })),
  blocked: list(record({ name: text, message: text, hint: text })),
  unknown: list(text),
  awaited: list(text),
  opens: orNull(moment),
});
const window = record({ days: list(text), from: text, until: text, timezone: text });
const policy = record({
  auto: changeClass,
  approve: orNull(list(changeClass)),
  suspend: flag,
  healDrift: oneOf("revert", "report", "off"),
  "windows?": list(window),
});
const revision = record({
  id: text,
  what: text,
  commit: orNull(text),
  standing: oneOf(...STANDINGS),
  because: orNull(because),
  at: moment,
  digest: orNull(text),
  policy,
  isDoubtful: flag,
  own: list(text),
  "unseen?": list(text),
  declined: list(text),
});
const asked = { revision: text, plan, isWhole: flag, approvedBy: orNull(text), run: text, "notBefore?": moment };
const planning = record({ revision: text, left: list(text), aside: list(text), isTogether: flag });
const applying = record(asked);
const turn: Check = (value, place) => {
  const kind = (value as { readonly kind?: unknown } | undefined)?.kind;
  if (kind === "planning") return planning(value, place);
  return kind === "applying" ? applying(value, place) : `${place}.kind is none that is known`;
};
const state = record({
  revisions: list(revision),
  inForce: orNull(text),
  reading: orNull(text),
  turn: orNull(turn),
  asked: orNull(record(asked)),
  look: orNull(text),
  heldBy: orNull(text),
  failures: count,
  notBefore: orNull(moment),
  opens: orNull(moment),
  drift: list(text),
});

/** As a phrase that names the place; null: nothing is wrong. */
export function findStateError(value: unknown): string | null {
  const problem = state(value, "state");
  if (problem !== null) return problem;
  const {
    revisions,
    inForce,
    turn: at,
    asked: question,
  } = value as {
    readonly revisions: readonly { readonly id: string }[];
    readonly inForce: string | null;
    readonly turn: { readonly revision: string } | null;
    readonly asked: { readonly revision: string } | null;
  };
  const ids = new Set(revisions.map(({ id }) => id));
  const named = [inForce, at?.revision, question?.revision].find((id) => typeof id === "string" && !ids.has(id));
  return named === undefined ? null : `state names the revision ${named}, of which it knows nothing`;
}
