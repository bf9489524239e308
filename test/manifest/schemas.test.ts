import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generate } from "../../scripts/generate-types.ts";
import { checkSchema } from "../../src/manifest/check-schema.ts";
import { DOCUMENT_SCHEMAS } from "../../src/manifest/document-schemas.ts";
import type { Kind } from "../../src/manifest/parsed-file.ts";

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
