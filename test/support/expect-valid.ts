/** A document against its schema, strictly: what is in none of them is no part of it. */
import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "vitest";

const FOLDER = new URL("../../schemas/", import.meta.url);

export const schemas = readdirSync(FOLDER).map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")));
export const ajv = new Ajv2020({ strict: false, validateFormats: false, schemas });

/** `schema`: the name of its file, `plan`. */
export function expectValid(document: unknown, schema: string): void {
  const validate = ajv.getSchema(`https://odorobo.dev/schemas/${schema}.schema.json`);
  if (validate === undefined) throw new Error(`there is no schema ${schema}`);
  expect(validate(document), `${schema}: ${JSON.stringify(validate.errors)}`).toBe(true);
}
