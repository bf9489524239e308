/**
 * schemas/*.schema.json of what users write → the types of those documents (`src/model/documents.ts`), the schemas as a
 * module (`src/manifest/text/document-schemas.ts`), so that the core reads no file and the package no JSON outside of itself, and
 * all of them in one file (`schemas/manifest.schema.json`) for editors. What a gateway's file may say becomes a module of its own.
 *
 * `npm run schemas` writes all; a test makes them in memory and fails when the written ones are stale.
 */
import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";
import { digestOf } from "../src/model/digest.ts";

const root = new URL("../", import.meta.url);

/** The kinds of documents, after the parts they share. */
const FILES = ["common", "fleet", "node", "virtual-machine", "profile", "group", "network", "image"] as const;

interface Schema {
  readonly [keyword: string]: unknown;
}

/** Path relative to the repository → content. */
export async function generate(): Promise<ReadonlyMap<string, string>> {
  const schemas = new Map<string, Schema>();
  for (const file of FILES) schemas.set(file, await readSchema(file));
  return new Map([
    ["src/model/documents.ts", await toTypes(schemas)],
    ["src/manifest/text/document-schemas.ts", toModule(schemas)],
    ["schemas/manifest.schema.json", toEditorSchema(schemas)],
    ["src/manifest/text/gateway-schema.ts", await toGatewayModule(await readSchema("gateway"))],
  ]);
}

async function readSchema(file: string): Promise<Schema> {
  return JSON.parse(await readFile(new URL(`schemas/${file}.schema.json`, root), "utf8")) as Schema;
}

/** One bundle for one compiler run: separate runs would declare what the kinds share once per kind. */
async function toTypes(schemas: ReadonlyMap<string, Schema>): Promise<string> {
  const $defs: Record<string, unknown> = {};
  const oneOf: unknown[] = [];
  for (const [file, schema] of schemas) {
    for (const [name, part] of Object.entries((schema.$defs ?? {}) as Schema))
      $defs[`${file}.${name}`] = structuredClone(part);
    if (file === "common") continue;
    const { $defs: _, $id: __, $schema: ___, examples: ____, ...document } = structuredClone(schema);
    $defs[`document.${file}`] = document;
    oneOf.push({ $ref: `#/$defs/document.${file}` });
    localise(document, file);
  }
  for (const [name, part] of Object.entries($defs))
    if (!name.startsWith("document.")) localise(part, name.split(".")[0] ?? "");
  const bundle = { title: "ManifestDocument", description: "Any document of a manifest.", oneOf, $defs };
  const types = await compile(bundle as never, "ManifestDocument", {
    additionalProperties: false,
    bannerComment:
      "/** Generated from schemas/ by scripts/generate-types.ts: `npm run schemas`. What users write, before anything is resolved. */",
    format: true,
    style: { printWidth: 120 },
    unreachableDefinitions: false,
    ignoreMinAndMaxItems: true,
  });
  return types;
}

/**
 * Rewrites references into the bundle. What stands beside a reference would make a second type of the same thing: dropped,
 * and so are the titles that are for error messages (they begin with a lower-case letter).
 */
function localise(value: unknown, file: string): void {
  if (typeof value !== "object" || value === null) return;
  const record = value as Record<string, unknown>;
  if (typeof record.title === "string" && /^[a-z]/.test(record.title)) delete record.title;
  const reference = record.$ref;
  if (typeof reference === "string") {
    const [target = "", name] = reference.split("#/$defs/");
    for (const sibling of Object.keys(record)) delete record[sibling];
    record.$ref = `#/$defs/${target === "" ? file : target.replace(".schema.json", "")}.${name}`;
    return;
  }
  for (const each of Object.values(record)) localise(each, file);
}

function toModule(schemas: ReadonlyMap<string, Schema>): string {
  const entries = [...schemas].map(
    ([file, schema]) => `  ${JSON.stringify(file)}: ${JSON.stringify(withoutProse(schema))},`,
  );
  return [
    "/** Generated from schemas/ by scripts/generate-types.ts: `npm run schemas`. What validation needs of the schemas of what users write. */",
    "export const DOCUMENT_SCHEMAS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {",
    ...entries,
    "};",
    "",
    "/** Changes when the schemas do: what was found valid by other schemas is looked at again. */",
    `export const DOCUMENT_SCHEMAS_DIGEST = ${JSON.stringify(digestOf([...schemas]))};`,
    "",
  ].join("\n");
}

/** What a gateway's file may say: its schema for the validator, and its types. No kind of manifest: it is in no fleet. */
async function toGatewayModule(schema: Schema): Promise<string> {
  const typed = structuredClone(schema) as Record<string, unknown>;
  for (const part of Object.values((typed.$defs ?? {}) as Schema)) localise(part, "");
  localise(typed.properties, "");
  typed.$defs = Object.fromEntries(Object.entries(typed.$defs as Schema).map(([name, part]) => [`.${name}`, part]));
  const types = await compile(typed as never, "GatewayFile", {
    additionalProperties: false,
    bannerComment: "",
    format: true,
    style: { printWidth: 120 },
    unreachableDefinitions: false,
    ignoreMinAndMaxItems: true,
  });
  return [
    "/** Generated from schemas/gateway.schema.json by scripts/generate-types.ts: `npm run schemas`. */",
    "export const GATEWAY_SCHEMA: Readonly<Record<string, unknown>> =",
    `  ${JSON.stringify(withoutProse(schema))};`,
    "",
    types.trim(),
    "",
  ].join("\n");
}

/**
 * One schema for a file of any kinds: an editor takes one for all documents of a file. It refers to nothing outside of
 * itself, so that it is whole where it is copied to. By `if` and not `oneOf`: a mistake is told of the kind that was meant.
 */
function toEditorSchema(schemas: ReadonlyMap<string, Schema>): string {
  const $defs: Record<string, unknown> = {};
  const kinds: string[] = [];
  const allOf: unknown[] = [];
  for (const [file, schema] of schemas) {
    const { $defs: parts, $id: _, $schema: __, ...document } = structuredClone(schema);
    for (const [name, part] of Object.entries((parts ?? {}) as Schema)) {
      $defs[`${file}.${name}`] = part;
      pointInside(part, file);
    }
    if (file === "common") continue;
    const { kind } = document.properties as { readonly kind: { readonly const: string } };
    kinds.push(kind.const);
    $defs[file] = document;
    pointInside(document, file);
    const isThisKind = { properties: { kind: { const: kind.const } }, required: ["kind"] };
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema, in a value that nobody awaits.
    allOf.push({ if: isThisKind, then: { $ref: `#/$defs/${file}` } });
  }
  const bundle = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://odorobo.dev/schemas/manifest.schema.json",
    title: "Manifest",
    description: "Any document of a fleet, for editors. Generated by `npm run schemas`; `odorobo schema` prints it.",
    type: "object",
    properties: {
      apiVersion: { const: "odorobo.dev/v1", description: "The version of this format." },
      kind: { enum: kinds, description: "What the document describes." },
    },
    required: ["apiVersion", "kind", "metadata"],
    allOf,
    $defs,
  };
  return `${JSON.stringify(bundle)}\n`;
}

/** Rewrites references to where `toEditorSchema` puts what they mean. */
function pointInside(value: unknown, file: string): void {
  if (typeof value !== "object" || value === null) return;
  const record = value as Record<string, unknown>;
  if (typeof record.$ref === "string") {
    const [target = "", name] = record.$ref.split("#/$defs/");
    record.$ref = `#/$defs/${target === "" ? file : target.replace(".schema.json", "")}.${name}`;
  }
  for (const each of Object.values(record)) pointInside(each, file);
}

/** Descriptions, examples and defaults are for people and editors; the validator would only load them. */
function withoutProse(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutProse);
  if (typeof value !== "object" || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    const isProse =
      key === "examples" ||
      (key === "description" && typeof each === "string") ||
      (key === "default" && typeof each !== "object");
    if (!isProse) kept[key] = withoutProse(each);
  }
  return kept;
}

if (import.meta.main) for (const [path, content] of await generate()) await writeFile(new URL(path, root), content);
