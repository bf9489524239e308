/**
 * Checks a value against `schemas/plan.schema.json`. Loaded only when a plan file is read: the validator and the schema
 * cost tens of milliseconds, which no other command should pay.
 */
import { readFile } from "node:fs/promises";
import type { ErrorObject } from "ajv/dist/2020.js";
import { PACKAGE_ROOT } from "../platform/package-root.ts";

/** The function tells where and what the first mistake is: `steps.3.kind must be …`; null: none. */
export async function loadPlanCheck(): Promise<(value: unknown) => string | null> {
  const { Ajv2020 } = await import("ajv/dist/2020.js");
  // The schemas themselves are checked by their tests, not at each start.
  const ajv = new Ajv2020({
    discriminator: true,
    allowUnionTypes: true,
    strictTypes: false,
    strictRequired: false,
    validateSchema: false,
  });
  ajv.addSchema(await readSchema("vm-spec"));
  const validate = ajv.compile(await readSchema("plan"));
  return (value) => (validate(value) ? null : describe(validate.errors?.[0]));
}

/** Read, not imported: the folder is outside of what is compiled. */
async function readSchema(name: string): Promise<object> {
  return JSON.parse(await readFile(new URL(`schemas/${name}.schema.json`, PACKAGE_ROOT), "utf8"));
}

function describe(error: ErrorObject | undefined): string {
  if (error === undefined) return "it is not as the schema says";
  const place = error.instancePath.slice(1).replaceAll("/", ".");
  const at = (name: unknown) => (place === "" ? String(name) : `${place}.${name}`);
  switch (error.keyword) {
    case "additionalProperties":
      return `${at(error.params.additionalProperty)} is not a known field`;
    case "required":
      return `${at(error.params.missingProperty)} is missing`;
    case "enum":
      return `${place} must be one of ${error.params.allowedValues.join(", ")}`;
    case "const":
      return `${place} must be ${JSON.stringify(error.params.allowedValue)}`;
    case "discriminator":
      return `${at(error.params.tag)} is not one of the known kinds`;
    default:
      return `${place === "" ? "the document" : place} ${error.message ?? "is not as the schema says"}`;
  }
}
