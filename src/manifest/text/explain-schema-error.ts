/** What the validator says → what a person needs to hear: one sentence, a hint, and whether the key or the value is wrong. */
import type { ErrorObject } from "ajv/dist/2020.js";
import type { DiagnosticCode } from "./diagnostic.ts";
import { isHarmless, isOwnWord, quoted } from "./harmless.ts";
import { oddCharacterHint } from "./odd-characters.ts";
import type { Segments } from "./places.ts";
import { nearest, suggest } from "./suggest.ts";

export interface SchemaMistake {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint: string | null;
  readonly at: Segments;
  readonly points: "key" | "value";
}

type SchemaPart = Readonly<Record<string, unknown>>;

/** Where the mistake is, without its words; null as below. */
export function placeOfSchemaError({ keyword, instancePath, params, propertyName }: ErrorObject): Segments | null {
  if (keyword === "propertyNames") return null;
  const at = toSegments(instancePath);
  if (keyword === "additionalProperties") return [...at, String((params as SchemaPart).additionalProperty)];
  return keyword === "pattern" && propertyName !== undefined ? [...at, propertyName] : at;
}

/** Null for errors that only repeat another one. */
export function explainSchemaError(error: ErrorObject): SchemaMistake | null {
  const at = toSegments(error.instancePath);
  const params = error.params as SchemaPart;
  switch (error.keyword) {
    case "additionalProperties":
      return unknownField(at, String(params.additionalProperty), error.parentSchema ?? {});
    case "required":
      return {
        code: "missing-field",
        message: `${String(params.missingProperty)} is missing`,
        hint: `${nameOf(at)} needs one`,
        at,
        points: "key",
      };
    case "propertyNames":
      return null;
    case "type":
      return wrongType(at, error);
    case "enum":
      return badValue(at, error.data, params.allowedValues as readonly unknown[]);
    case "const":
      return badValue(at, error.data, [params.allowedValue]);
    case "pattern":
      return error.propertyName === undefined ? badPattern(at, error) : badKey(at, error.propertyName);
    default:
      return {
        code: "bad-value",
        message: `${nameOf(at)} ${boundOf(error.keyword, params)}`,
        hint: null,
        at,
        points: "value",
      };
  }
}

function unknownField(at: Segments, field: string, schema: SchemaPart): SchemaMistake {
  const known = Object.keys((schema.properties ?? {}) as object);
  const isNear = field.length <= 40 && nearest(field, known) !== null;
  const message = quoted("unknown field", field, isNear || isOwnWord(field));
  const hint =
    oddCharacterHint(field) ?? elsewhere(field, known) ?? suggest(field, known, "leave it out", known.length);
  return { code: "unknown-field", message, hint, at: [...at, field], points: "key" };
}

/** What people coming from other tools call our fields, as far as it is not spelled alike. */
const OTHER_WORDS: ReadonlyMap<string, readonly [field: string, write: string]> = new Map([
  ["node", ["placement", "placement: { node: NAME }"]],
  ["nodes", ["placement", "placement: { nodes: [NAME] }"]],
  ["host", ["placement", "placement: { node: NAME }"]],
  ["nodeSelector", ["placement", "placement, which takes labels of nodes"]],
  ["ram", ["memory", "memory: 512MiB"]],
  ["vcpus", ["cpus", "cpus: 2"]],
  ["cores", ["cpus", "cpus: 2"]],
  ["volumes", ["disks", "disks"]],
  ["storage", ["disks", "disks"]],
  ["networks", ["nics", "nics: [{ name: eth0, network: NAME }]"]],
  ["network", ["nics", "nics: [{ name: eth0, network: NAME }]"]],
  ["interfaces", ["nics", "nics: [{ name: eth0, network: NAME }]"]],
  ["kernel", ["boot", "boot: { kernel: PATH }"]],
  ["userData", ["cloudInit", "cloudInit: { userData: … }"]],
]);

function elsewhere(field: string, known: readonly string[]): string | null {
  const [ours, write] = OTHER_WORDS.get(field) ?? [];
  return ours !== undefined && known.includes(ours) ? `write ${write}` : null;
}

function wrongType(at: Segments, error: ErrorObject): SchemaMistake {
  const schema = error.parentSchema ?? {};
  const wanted = [schema.type].flat().filter((type) => type !== "null");
  const words = wanted.map((type) =>
    type === "string" && schema.title ? String(schema.title) : TYPE_WORDS[String(type)],
  );
  const message = `${nameOf(at)} must be ${words.join(" or ")}, not ${kindOf(error.data)}`;
  return { code: "wrong-type", message, hint: typeHint(wanted, schema, error.data), at, points: "value" };
}

function typeHint(wanted: readonly unknown[], schema: SchemaPart, data: unknown): string | null {
  const isText = wanted.includes("string");
  // Of a free text nothing is repeated, not even that it is a number.
  if (isText && isFree(schema)) return data === null || typeof data === "object" ? null : "write it in quotes";
  if (isText && typeof data === "number" && isTitled(schema, "a size")) return `write a unit: ${data}MiB or ${data}GiB`;
  if (isText && typeof data === "number" && isTitled(schema, "a duration")) return `write a unit: ${data}s`;
  if (isText && (typeof data === "number" || typeof data === "boolean")) return `write it in quotes: "${data}"`;
  if (wanted.includes("boolean")) return "true or false, without quotes";
  if (wanted.includes("array") && !Array.isArray(data))
    return "write it as a list: each item on a line that begins with a dash";
  if (typeof data === "string" && /^[0-9]+$/.test(data)) return "write the number without quotes";
  return null;
}

function badValue(at: Segments, data: unknown, allowed: readonly unknown[]): SchemaMistake {
  const words = allowed.filter((each) => each !== null).map(String);
  const message = `${nameOf(at)} must be one of: ${words.join(", ")}`;
  const near = typeof data === "string" && data.length <= 40 ? nearest(data, words) : null;
  const odd = typeof data === "string" ? oddCharacterHint(data) : null;
  return {
    code: "bad-value",
    message,
    hint: odd !== null ? odd : near === null ? null : `did you mean "${near}"?`,
    at,
    points: "value",
  };
}

function badPattern(at: Segments, error: ErrorObject): SchemaMistake {
  const schema = error.parentSchema ?? {};
  const text = String(error.data);
  const isShown = isHarmless([schema], text);
  const message = `${nameOf(at)} must be ${String(schema.title ?? `like ${String(schema.pattern)}`)}`;
  const mistake = (code: DiagnosticCode, hint: string | null): SchemaMistake => ({
    code,
    message,
    hint,
    at,
    points: "value",
  });
  const odd = oddCharacterHint(text);
  if (odd !== null) return mistake("bad-value", odd);
  if (isTitled(schema, "a size")) return mistake("bad-size", isShown ? sizeHint(text) : null);
  if (isTitled(schema, "a duration"))
    return mistake("bad-duration", /^[0-9]+$/.test(text) ? `write a unit: ${text}s` : null);
  if (isTitled(schema, "a name")) return mistake("bad-name", fileHint(at, text) ?? nameHint(text));
  if (isTitled(schema, "an address with a prefix")) return mistake("bad-value", prefixHint(text));
  if (isTitled(schema, "an address")) return mistake("bad-value", addressHint(text));
  return mistake("bad-value", null);
}

function badKey(at: Segments, key: string): SchemaMistake {
  return {
    code: "bad-name",
    message: "this cannot be a label key",
    hint: "letters, digits and . _ / - between them",
    at: [...at, key],
    points: "key",
  };
}

function sizeHint(text: string): string | null {
  const number = /^[0-9.]+/.exec(text)?.[0];
  if (number === undefined) return null;
  const unit = /^\s*([kmgt])i?b?$/i.exec(text.slice(number.length))?.[1];
  return `write ${number}${unit === undefined ? "M" : unit.toUpperCase()}iB`;
}

/**
 * Without a scheme, or with something after the port. 8890 is the agent's own port. A lone word is not repeated: whether it is
 * the name of a host nobody knows.
 */
function addressHint(text: string): string | null {
  const [, host, port] = /^(?:https?:\/\/)?(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?(?:\/.*)?$/i.exec(text) ?? [];
  if (host === undefined) return null;
  if (port === undefined && !/^(\[|[0-9.]+$|[a-z0-9-]+(\.[a-z0-9-]+){2,}$)/.test(host)) return "write http://HOST:8890";
  return hostHint(text, host, port ?? "8890");
}

const hostHint = (text: string, host: string, port: string): string =>
  `write ${text.startsWith("https:") ? "https" : "http"}://${host}:${port}`;

/** For a NIC: 24 and 64 are what most networks have. */
function prefixHint(text: string): string | null {
  if (/^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(text)) return `write ${text}/24, with the network's own prefix length`;
  if (/^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$/i.test(text))
    return `write ${text}/64, with the network's own prefix length`;
  return null;
}

/** A path or a URL where a disk says the name of an Image. */
function fileHint(at: Segments, text: string): string | null {
  if (at.at(-1) !== "image" || !text.includes("/")) return null;
  return "give the name of an Image: its manifest has the path; to use the bytes themselves, and not an overlay: source: file:///PATH";
}

/** Says which characters are wrong, and not how the whole would be right: it may be anything. */
function nameHint(text: string): string | null {
  if (text.length > 63) return "at most 63 characters";
  const odd = [...new Set(text.replaceAll(/[A-Za-z0-9-]/g, ""))].slice(0, 3);
  const wrong = [
    ...(/[A-Z]/.test(text) ? ["capitals"] : []),
    ...odd.map((character) => (character === " " ? "spaces" : JSON.stringify(character))),
    ...(/^-|-$/.test(text) ? ["a dash at either end"] : []),
  ];
  return wrong.length === 0 ? null : `without ${wrong.join(" and ")}`;
}

function boundOf(keyword: string, params: SchemaPart): string {
  const limit = String(params.limit);
  switch (keyword) {
    case "minimum":
      return `must be at least ${limit}`;
    case "exclusiveMinimum":
      return `must be more than ${limit}`;
    case "maximum":
      return `must be at most ${limit}`;
    case "minLength":
    case "minItems":
    case "minProperties":
      return "must not be empty";
    case "maxItems":
      return `has more than ${limit} items`;
    case "uniqueItems":
      return "names something twice";
    default:
      return "is not valid here";
  }
}

const isFree = (schema: SchemaPart): boolean => schema.pattern === undefined && schema.enum === undefined;

const isTitled = (schema: SchemaPart, beginning: string): boolean => String(schema.title ?? "").startsWith(beginning);

const TYPE_WORDS: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  integer: "a whole number",
  number: "a number",
  object: "a map",
  string: "text",
};

function kindOf(data: unknown): string {
  if (data === null) return "empty";
  if (Array.isArray(data)) return "a list";
  if (typeof data === "number" && !Number.isInteger(data)) return "a fraction";
  return (
    { boolean: "true or false", number: "a number", object: "a map", string: "text" }[typeof data as string] ?? "this"
  );
}

/** `disks[0].size`: what follows spec, because the caret shows the rest. */
function nameOf(at: Segments): string {
  const own = at[0] === "spec" && at.length > 1 ? at.slice(1) : at;
  if (own.length === 0) return "the document";
  return own
    .map((segment, index) =>
      typeof segment === "number" ? `[${segment}]` : `${index > 0 ? "." : ""}${spoken(segment)}`,
    )
    .join("");
}

/** The key of a label may be anything. */
const spoken = (segment: string): string => (isOwnWord(segment) ? segment : "…");

/** A JSON pointer as segments. Digits are indices in our schemas' lists and keys only in maps of labels: told apart when looked up. */
const toSegments = (pointer: string): Segments =>
  pointer === ""
    ? []
    : pointer
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
        .map((part) => (/^(0|[1-9][0-9]*)$/.test(part) ? Number(part) : part));
