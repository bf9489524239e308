/**
 * JSON in and out as the real one's deserialiser does it: unknown fields are ignored, defaults filled in, types and ranges
 * checked, unset fields left out (or null, before 53). The shapes themselves are in `vm-config-shape.ts` and `body-shapes.ts`.
 */
import { randomBytes } from "node:crypto";
import { Refusal } from "./refusal.ts";
import type { Release } from "./release.ts";

export type Integer = "u8" | "u16" | "u32" | "u64" | "i32";

export type Shape =
  | { readonly kind: "bool" }
  | { readonly kind: "string" }
  | { readonly kind: "mac" }
  | { readonly kind: "ip" }
  | { readonly kind: "integer"; readonly type: Integer; readonly nonZero: boolean }
  | { readonly kind: "enum"; readonly values: readonly string[] }
  | { readonly kind: "list"; readonly of: Shape }
  | Struct;

export interface Struct {
  readonly kind: "struct";
  readonly name: string;
  /** Refuses unknown fields; the others ignore them without a word. */
  readonly closed: boolean;
  readonly fields: Readonly<Record<string, Field>>;
}

export interface Field {
  readonly shape: Shape;
  readonly presence: "required" | "optional" | "defaulted";
  /** JSON that is read in its place when the field is missing. */
  readonly otherwise?: unknown;
  /** The release whose config first has it: before, it is one more unknown field. */
  readonly since: number;
  /** The old name. */
  readonly alias?: string;
  /** Shown only when true. */
  readonly quietWhenFalse?: boolean;
}

export const bool: Shape = { kind: "bool" };
export const text: Shape = { kind: "string" };
export const mac: Shape = { kind: "mac" };
export const ip: Shape = { kind: "ip" };
export const integer = (type: Integer): Shape => ({ kind: "integer", type, nonZero: false });
export const nonZero = (type: Integer): Shape => ({ kind: "integer", type, nonZero: true });
export const oneOf = (...values: readonly string[]): Shape => ({ kind: "enum", values });
export const listOf = (of: Shape): Shape => ({ kind: "list", of });
export const struct = (name: string, fields: Readonly<Record<string, Field>>, closed = false): Struct => ({
  kind: "struct",
  name,
  closed,
  fields,
});

export const required = (shape: Shape): Field => ({ shape, presence: "required", since: 0 });
export const optional = (shape: Shape): Field => ({ shape, presence: "optional", since: 0 });
export const defaulted = (shape: Shape, otherwise: unknown): Field => ({
  shape,
  presence: "defaulted",
  otherwise,
  since: 0,
});
export const since = (release: number, field: Field): Field => ({ ...field, since: release });

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const LIMITS: Readonly<Record<Integer, number>> = {
  u8: 0xff,
  u16: 0xffff,
  u32: 0xffff_ffff,
  u64: 2 ** 64,
  i32: 2 ** 31 - 1,
};

/** Refuses with status 400 as the deserialiser does; `at` is the place it names (we know the end of the text only). */
export function decode(shape: Struct, body: string, release: Release): Record<string, unknown> {
  const at = `at line 1 column ${body.length}`;
  const fail = (why: string): Refusal => new Refusal("bad request", "Failed to deserialize JSON", `${why} ${at}`);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    const ended = error instanceof Error && /end of JSON|Unterminated/.test(error.message);
    throw fail(ended ? "EOF while parsing a value" : "expected value");
  }
  return read(shape, json, release, fail) as Record<string, unknown>;
}

function read(shape: Shape, json: unknown, release: Release, fail: (why: string) => Refusal): unknown {
  const mismatch = (expected: string): Refusal => fail(`invalid type: ${describe(json)}, expected ${expected}`);
  switch (shape.kind) {
    case "bool":
      if (typeof json !== "boolean") throw mismatch("a boolean");
      return json;
    case "string":
      if (typeof json !== "string") throw mismatch("a string");
      return json;
    case "mac":
      if (typeof json !== "string") throw mismatch("a string");
      if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(json)) {
        throw fail(`The provided MAC address is invalid: parsing of ${json} into a MAC address failed`);
      }
      return json.toLowerCase();
    case "ip":
      if (typeof json !== "string") throw mismatch("a string");
      if (!/^[0-9a-f.:]+$/i.test(json)) throw fail("invalid IP address syntax");
      return json;
    case "integer":
      return readInteger(shape, json, fail, mismatch);
    case "enum":
      if (typeof json !== "string") throw mismatch("a string");
      if (!shape.values.includes(json)) {
        throw fail(
          `unknown variant \`${json}\`, expected one of ${shape.values.map((each) => `\`${each}\``).join(", ")}`,
        );
      }
      return json;
    case "list":
      if (!Array.isArray(json)) throw mismatch("a sequence");
      return json.map((each) => read(shape.of, each, release, fail));
    case "struct":
      if (typeof json !== "object" || json === null || Array.isArray(json)) throw mismatch(`struct ${shape.name}`);
      return readStruct(shape, json as Record<string, unknown>, release, fail);
  }
}

function readInteger(
  shape: { readonly type: Integer; readonly nonZero: boolean },
  json: unknown,
  fail: (why: string) => Refusal,
  mismatch: (expected: string) => Refusal,
): number {
  const expected = shape.nonZero ? `a nonzero ${shape.type}` : shape.type;
  if (typeof json !== "number" || !Number.isInteger(json)) throw mismatch(expected);
  const tooSmall = json < (shape.type === "i32" ? -(2 ** 31) : 0) || (shape.nonZero && json === 0);
  if (tooSmall || json > LIMITS[shape.type]) throw fail(`invalid value: integer \`${json}\`, expected ${expected}`);
  if (shape.type === "u64" && json === LIMITS.u64) throw mismatch(expected);
  return json;
}

function readStruct(
  shape: Struct,
  json: Readonly<Record<string, unknown>>,
  release: Release,
  fail: (why: string) => Refusal,
): Record<string, unknown> {
  const known = Object.entries(shape.fields).filter(([, field]) => field.since <= release.major);
  const names = known.map(([name]) => name);
  if (shape.closed) {
    const stranger = Object.keys(json).find((name) => !names.includes(name));
    if (stranger !== undefined)
      throw fail(`unknown field \`${stranger}\`, expected ${names.map((each) => `\`${each}\``).join(" or ")}`);
  }
  const result: Record<string, unknown> = {};
  for (const [name, field] of known) {
    const given = json[name] ?? (field.alias === undefined ? undefined : json[field.alias]);
    if (given !== undefined && given !== null) result[name] = read(field.shape, given, release, fail);
    else if (field.presence === "required") {
      throw fail(
        given === null ? `invalid type: null, expected ${expectation(field.shape)}` : `missing field \`${name}\``,
      );
    } else if (field.presence === "defaulted") result[name] = read(field.shape, defaultOf(field), release, fail);
  }
  return result;
}

const expectation = (shape: Shape): string =>
  shape.kind === "integer" ? shape.type : shape.kind === "struct" ? `struct ${shape.name}` : "a value";

const defaultOf = (field: Field): unknown => (field.shape.kind === "mac" ? randomMac() : field.otherwise);

/** Locally administered, unicast: as the real one makes up for a NIC without one. */
function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

function describe(json: unknown): string {
  if (json === null) return "null";
  if (Array.isArray(json)) return "sequence";
  if (typeof json === "boolean") return `boolean \`${json}\``;
  if (typeof json === "string") return `string ${JSON.stringify(json)}`;
  if (typeof json === "number")
    return `${Number.isInteger(json) && json < 2 ** 64 ? "integer" : "floating point"} \`${json}\``;
  return "map";
}

/** As vm.info shows it: the shape's order, only what is set. */
export function encode(
  shape: Struct,
  value: Readonly<Record<string, unknown>>,
  release: Release,
): Record<string, Json> {
  const result: Record<string, Json> = {};
  for (const [name, field] of Object.entries(shape.fields)) {
    if (field.since > release.major) continue;
    const held = value[name];
    if (field.quietWhenFalse && held !== true) continue;
    if (held !== undefined && held !== null) result[name] = write(field.shape, held, release);
    else if (!release.omitsUnset) result[name] = null;
  }
  return result;
}

function write(shape: Shape, value: unknown, release: Release): Json {
  if (shape.kind === "struct") return encode(shape, value as Record<string, unknown>, release);
  if (shape.kind === "list") return (value as readonly unknown[]).map((each) => write(shape.of, each, release));
  return value as Json;
}
