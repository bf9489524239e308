import { glob, readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { generate } from "../../scripts/generate-types.ts";
import { checkSchema } from "../../src/manifest/text/check-schema.ts";
import { DOCUMENT_SCHEMAS } from "../../src/manifest/text/document-schemas.ts";
import type { Kind } from "../../src/manifest/text/parsed-file.ts";

const root = new URL("../../", import.meta.url);

interface Schema {
  readonly $id: string;
  readonly description?: string;
  readonly properties: Readonly<Record<string, Schema & { const?: string; $ref?: string }>>;
  readonly examples?: readonly unknown[];
  readonly [keyword: string]: unknown;
}

async function schemaOf(file: string): Promise<Schema> {
  return JSON.parse(await readFile(new URL(`schemas/${file}.schema.json`, root), "utf8")) as Schema;
}

test("the generated files are what the schemas make today (npm run schemas)", async () => {
  for (const [path, content] of await generate())
    expect(await readFile(new URL(path, root), "utf8"), path).toBe(content);
});

const KIND_FILES = Object.keys(DOCUMENT_SCHEMAS).filter((file) => file !== "common");

test.each(KIND_FILES)("every example of %s is valid", async (file) => {
  const schema = await schemaOf(file);
  const kind = schema.properties.kind?.const as Kind;
  expect(schema.examples?.length).toBeGreaterThan(0);
  for (const example of schema.examples ?? []) expect(checkSchema(kind, example, "").problems).toEqual([]);
});

test("the schema for editors says yes and no as the reader does, and refers to nothing outside of itself", async () => {
  const editor = JSON.parse(await readFile(new URL("schemas/manifest.schema.json", root), "utf8"));
  expect(JSON.stringify(editor).match(/"\$ref":"(?!#\/\$defs\/)[^"]*"/g)).toBeNull();
  const isRight = new Ajv2020({ strictTypes: false, strictRequired: false }).compile(editor);
  for (const file of KIND_FILES) {
    const schema = await schemaOf(file);
    const kind = schema.properties.kind?.const as Kind;
    for (const example of schema.examples ?? []) {
      expect(isRight(example), `${file}: ${JSON.stringify(isRight.errors)}`).toBe(true);
      // A wrong value at each place, one at a time.
      for (const wrong of spoilt(example)) {
        const said = checkSchema(kind, wrong, "").problems.length === 0;
        expect(isRight(wrong), `${file}: ${JSON.stringify(wrong)}`).toBe(said);
      }
    }
  }
  expect(isRight({ apiVersion: "odorobo.dev/v1", kind: "Flete", metadata: { name: "a" } })).toBe(false);
});

/** The document with `[[]]`, which no field takes but a section of the hypervisor's own, in place of each value in it in turn. */
function* spoilt(value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    const put = (other: unknown) =>
      Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other };
    if (key === "kind") continue;
    yield put([[]]);
    for (const worse of spoilt(part)) yield put(worse);
  }
}

test("every document of the examples tells an editor its schema", async () => {
  for await (const path of glob("examples/*/fleet/**/*.yaml", { cwd: root, exclude: ["**/user-data/**"] })) {
    for (const text of (await readFile(new URL(path, root), "utf8")).split(/^---\n/m)) {
      const [, schema = ""] = /^(?:#.*\n)*?# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
      expect(new URL(schema, new URL(path, root)).href, path).toBe(new URL("schemas/manifest.schema.json", root).href);
    }
  }
});

test.each(Object.keys(DOCUMENT_SCHEMAS))(
  "every field of %s has a description and unknown ones are refused",
  async (file) => {
    const bare: string[] = [];
    const visit = (part: unknown, at: string) => {
      if (typeof part !== "object" || part === null) return;
      const { properties, additionalProperties } = part as Partial<Schema>;
      if (properties !== undefined && additionalProperties !== false) bare.push(`${at} takes unknown fields`);
      for (const [name, field] of Object.entries(properties ?? {}))
        if (field.description === undefined && field.$ref === undefined) bare.push(`${at}.${name} has no description`);
      for (const [name, each] of Object.entries(part)) if (name !== "examples") visit(each, `${at}.${name}`);
    };
    visit(await schemaOf(file), file);
    expect(bare).toEqual([]);
  },
);

test("a profile and the fleet's defaults have the fields of a VM", async () => {
  const fieldsIn = (part: unknown) => Object.keys((part as Schema).properties).sort();
  const vm = fieldsIn((await schemaOf("virtual-machine")).properties.spec).filter((field) => field !== "profile");
  expect(fieldsIn((await schemaOf("profile")).properties.spec)).toEqual([...vm, "base"].sort());
  expect(fieldsIn((await schemaOf("fleet")).properties.spec?.properties.defaults)).toEqual(vm);
});
