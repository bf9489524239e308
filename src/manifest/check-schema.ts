/** One document against the schema of its kind. What the schema refuses is taken away, so that the rest can still be looked at. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { DOCUMENT_SCHEMAS } from "./document-schemas.ts";
import { explainSchemaError, type SchemaMistake } from "./explain-schema-error.ts";
import type { Kind, Problem } from "./parsed-file.ts";
import { findPlace, type Segments } from "./places.ts";

const SCHEMA_OF_KIND: Readonly<Record<Kind, string>> = {
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
  const mistakes = mistakesIn(validate.errors ?? []);
  const problems = mistakes.map((mistake) => toProblem(mistake, value, places));
  let usable: unknown = structuredClone(value);
  let refused = mistakes;
  // Each round takes something away, so this ends; removing a required part leads to the removal of what required it.
  while (refused.length > 0) {
    for (const at of inRemovalOrder(refused)) usable = without(usable, at);
    if (!hasName(usable)) return { problems, usable: null };
    refused = validate(usable) ? [] : mistakesIn(validate.errors ?? []);
  }
  return { problems, usable };
}

const validators = new Map<Kind, ValidateFunction>();
let ajv: Ajv2020 | undefined;

/** Compiled when first needed: a run whose files are all known from before needs none. */
function validatorFor(kind: Kind): ValidateFunction {
  let validate = validators.get(kind);
  if (validate === undefined) {
    // `strictTypes` would refuse `cpus: 2` beside `cpus: {count: 2}`; `verbose` gives the titles that messages use.
    ajv ??= new Ajv2020({
      allErrors: true,
      verbose: true,
      strictTypes: false,
      schemas: Object.values(DOCUMENT_SCHEMAS),
    });
    validate = ajv.getSchema(String(DOCUMENT_SCHEMAS[SCHEMA_OF_KIND[kind]]?.$id)) as ValidateFunction;
    validators.set(kind, validate);
  }
  return validate;
}

const mistakesIn = (errors: readonly ErrorObject[]): SchemaMistake[] =>
  errors.map(explainSchemaError).filter((mistake) => mistake !== null);

/** Each place once, the last of a list before the first and what is inside before what is around: removing one moves no other. */
function inRemovalOrder(mistakes: readonly SchemaMistake[]): Segments[] {
  const unique = new Map(mistakes.map(({ at }) => [JSON.stringify(at), at]));
  return [...unique.values()].sort((a, b) => {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const [left, right] = [a[i], b[i]];
      if (left !== right) return typeof left === "number" && typeof right === "number" ? right - left : 1;
    }
    return b.length - a.length;
  });
}

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

/** A copy without the value at this place. `value` is ours to change. */
function without(value: unknown, at: Segments): unknown {
  if (at.length === 0) return null;
  let parent = value as Record<string | number, unknown> | unknown[] | null;
  for (const segment of at.slice(0, -1)) {
    if (typeof parent !== "object" || parent === null) return value;
    parent = (parent as Record<string | number, unknown>)[segment] as typeof parent;
  }
  const last = at.at(-1);
  if (typeof parent !== "object" || parent === null || last === undefined) return value;
  if (!Array.isArray(parent)) delete parent[last];
  // Disks and NICs go by name. In other lists the items after this one would move away from their places: the list goes as a whole.
  else if (parent.every((item) => typeof item === "object" && item !== null && "name" in item))
    parent.splice(Number(last), 1);
  else return without(value, at.slice(0, -1));
  return value;
}
