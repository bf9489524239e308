/** One document against the schema of its kind. What the schema refuses is taken away, so that the rest can still be looked at. */
import type { ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import { compileDocument, type WrittenDocument } from "./compile-documents.ts";
import { explainSchemaError, placeOfSchemaError, type SchemaMistake } from "./explain-schema-error.ts";
import type { Kind, Problem } from "./parsed-file.ts";
import { findPlace, type Segments } from "./places.ts";

const SCHEMA_OF_KIND: Readonly<Record<Kind, WrittenDocument>> = {
  Fleet: "fleet",
  Group: "group",
  Image: "image",
  Network: "network",
  Node: "node",
  Profile: "profile",
  VirtualMachine: "virtual-machine",
};

export const KINDS: readonly string[] = Object.keys(SCHEMA_OF_KIND);

export const isKind = (kind: unknown): kind is Kind => typeof kind === "string" && Object.hasOwn(SCHEMA_OF_KIND, kind);

export interface CheckedDocument {
  readonly problems: readonly Problem[];
  /** `value` itself when nothing is wrong, else what is left of it; null when not even the name is. */
  readonly usable: unknown;
}

export function checkSchema(kind: Kind, value: unknown, places: string): CheckedDocument {
  const validate = validatorFor(kind);
  if (validate(value)) return { problems: [], usable: value };
  const errors = validate.errors ?? [];
  const problems = explain(errors, value, places);
  let usable: unknown = structuredClone(value);
  let refused = placesOf(errors);
  // Each round takes something away, so this ends; removing a required part leads to the removal of what required it.
  while (refused.length > 0) {
    usable = withoutAll(usable, refused);
    if (!hasName(usable)) return { problems, usable: null };
    refused = validate(usable) ? [] : placesOf(validate.errors ?? []);
  }
  return { problems, usable };
}

/** Each mistake that a validator (with `allErrors` and `verbose`) has found in a document, in words and with its place. */
export function explain(errors: readonly ErrorObject[], value: unknown, places: string): Problem[] {
  const problems = mistakesIn(errors.slice(0, EXPLAINED_AT_MOST)).map((mistake) => toProblem(mistake, value, places));
  const [last] = problems.slice(-1);
  if (last !== undefined && errors.length > EXPLAINED_AT_MOST) {
    const message = `and ${errors.length - EXPLAINED_AT_MOST} more mistakes in this document`;
    problems.push({ ...last, message, hint: "mend the first ones, and look again" });
  }
  return problems;
}

const validators = new Map<Kind, ValidateFunction>();

/** Made when first needed: a run whose files are all known from before needs none. */
function validatorFor(kind: Kind): ValidateFunction {
  const known = validators.get(kind);
  if (known !== undefined) return known;
  const validate = compileDocument(SCHEMA_OF_KIND[kind]);
  validators.set(kind, validate);
  return validate;
}

/** More of one document nobody reads: something went wrong with it as a whole. */
const EXPLAINED_AT_MOST = 500;

const placesOf = (errors: readonly ErrorObject[]): Segments[] =>
  errors.map(placeOfSchemaError).filter((at) => at !== null);

const mistakesIn = (errors: readonly ErrorObject[]): SchemaMistake[] =>
  errors.map(explainSchemaError).filter((mistake) => mistake !== null);

function toProblem(mistake: SchemaMistake, value: unknown, places: string): Problem {
  const { code, message, hint } = mistake;
  const place = findPlace(value, places, mistake.at);
  if (place === null) return { code, message, hint, start: 0, end: 1 };
  const isKey = mistake.points === "key" && place.keyEnd > place.keyStart;
  return isKey
    ? { code, message, hint, start: place.keyStart, end: place.keyEnd }
    : { code, message, hint, start: place.start, end: place.end };
}

function hasName(document: unknown): boolean {
  const metadata = (document as { metadata?: { name?: unknown } } | null)?.metadata;
  return typeof metadata?.name === "string";
}

/** Without the values at these places, all at once: what goes from a list is gathered first. `value` is ours to change. */
function withoutAll(value: unknown, places: readonly Segments[]): unknown {
  const gone = new Map<object, Set<string>>();
  for (const at of places) if (!mark(value, at, gone)) return null;
  for (const [parent, keys] of gone) {
    if (Array.isArray(parent)) {
      const kept = parent.filter((_, index) => !keys.has(String(index)));
      parent.length = 0;
      for (const item of kept) parent.push(item);
    } else for (const key of keys) delete (parent as Record<string, unknown>)[key];
  }
  return value;
}

/** False: the whole document goes. */
function mark(value: unknown, at: Segments, gone: Map<object, Set<string>>): boolean {
  const parents: object[] = [];
  let current = value;
  for (const segment of at) {
    // What was refused around it goes with it.
    if (typeof current !== "object" || current === null) return parents.length > 0 || at.length === 0;
    // Asked as it was written: an item whose name is refused has none a moment later.
    if (Array.isArray(current)) areNamed(current);
    parents.push(current);
    current = (current as Record<string | number, unknown>)[segment];
  }
  for (let depth = at.length - 1; depth >= 0; depth--) {
    const parent = parents[depth];
    if (parent === undefined || (Array.isArray(parent) && !areNamed(parent))) continue;
    const keys = gone.get(parent) ?? new Set();
    gone.set(parent, keys.add(String(at[depth])));
    return true;
  }
  return false;
}

const named = new WeakMap<readonly unknown[], boolean>();

/** Disks and NICs go by name. In other lists the items after one would move away from their places: those go as a whole. */
function areNamed(list: readonly unknown[]): boolean {
  let answer = named.get(list);
  if (answer === undefined) {
    answer = list.every((item) => typeof item === "object" && item !== null && "name" in item);
    named.set(list, answer);
  }
  return answer;
}
