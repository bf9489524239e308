/** A whole document of each kind, made from its schema, and every place in it. */
import { DOCUMENT_SCHEMAS } from "../../src/manifest/text/document-schemas.ts";
import { VM_CONFIG } from "../../src/model/cloud-hypervisor/config-fields.ts";
import type { Field } from "../../src/model/cloud-hypervisor/field.ts";

export type Path = readonly (string | number)[];

interface Schema {
  readonly [keyword: string]: unknown;
}

export const KIND_SCHEMAS = Object.keys(DOCUMENT_SCHEMAS).filter((name) => name !== "common");

/** With every field that the schema has. What excludes one another is there side by side: it is the places that count. */
export const wholeDocument = (file: string): unknown => sample(schemaOf(file), file);

/** Every field of Cloud Hypervisor's. */
export const wholePassthrough = (): unknown => sampleOfField(VM_CONFIG);

const schemaOf = (file: string): Schema => DOCUMENT_SCHEMAS[file] as Schema;

function sample(schema: Schema, file: string): unknown {
  if (typeof schema.$ref === "string") {
    const [other = "", pointer = ""] = schema.$ref.split("#");
    const at = other === "" ? file : other.replace(".schema.json", "");
    let target: unknown = schemaOf(at);
    for (const part of pointer.split("/").slice(1)) target = (target as Schema)[part];
    return sample(target as Schema, at);
  }
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const types = [schema.type].flat();
  if (types.includes("object")) return sampleMap(schema, file);
  if (types.includes("array")) return [sample(schema.items as Schema, file)];
  if (types.includes("integer") || types.includes("number")) return 1;
  if (types.includes("boolean")) return true;
  return BY_TITLE.find(([title]) => String(schema.title ?? "").startsWith(title))?.[1] ?? "a text";
}

function sampleMap(schema: Schema, file: string): unknown {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
  if (properties.length === 0)
    return schema.additionalProperties === true
      ? { rng: { src: "/dev/urandom" }, cpus: { boot_vcpus: 1 } }
      : { app: "web" };
  return Object.fromEntries(properties.map(([key, each]) => [key, sample(each, file)]));
}

/** What Cloud Hypervisor takes, all of it. */
function sampleOfField(field: Field): unknown {
  switch (field.type) {
    case "record":
      return Object.fromEntries(Object.entries(field.fields).map(([key, each]) => [key, sampleOfField(each)]));
    case "list":
      return [sampleOfField(field.of)];
    case "boolean":
      return true;
    case "integer":
      return Math.max(1, field.min);
    default:
      return Object.keys(field.oneOf ?? { "/a/text": 0 })[0];
  }
}

const BY_TITLE: readonly (readonly [string, string])[] = [
  ["a name", "web"],
  ["a size", "1GiB"],
  ["a duration", "90s"],
  ["a unicast MAC", "52:54:00:00:00:01"],
  ["an address with", "10.0.0.11/24"],
  ["an address", "http://10.0.0.1:8890"],
  ["an interface", "br0"],
  ["an absolute", "/images/a.qcow2"],
  ["a firmware", "default"],
  ["a file://", "nbd://10.0.0.1/x"],
  ["a public SSH key", "ssh-ed25519 AAAA x"],
  ["a pointer", "/spec/cpus/count"],
];

/** Of the value itself and everything in it. */
export function placesIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...entries.flatMap(([key, each]) => placesIn(each, [...path, key]))];
}

export const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((current, key) => (current as Record<string | number, unknown>)[key], value);

/** A copy with another value at this place. */
export function withValue(value: unknown, [head, ...rest]: Path, replacement: unknown): unknown {
  if (head === undefined) return replacement;
  if (Array.isArray(value))
    return value.map((each, index) => (index === head ? withValue(each, rest, replacement) : each));
  const record = value as Record<string, unknown>;
  return { ...record, [head]: withValue(record[head], rest, replacement) };
}
