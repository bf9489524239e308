/**
 * Whether a document that came over the wire, or holds what did, is what it should be, by the schemas in `schemas/`.
 *
 * Requests are read strictly: a field that the agent does not know would be a wish that it silently drops.
 * Answers are read tolerantly: a newer agent may say more than we know, but nothing may be missing or of another type.
 */
import { readFileSync } from "node:fs";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { digestOfText } from "../model/digest.ts";
import { PACKAGE_ROOT } from "../platform/package-root.ts";
import type { PutVmRequest } from "./operations.ts";

const DOCUMENTS = [
  "vm-spec",
  "put-vm-request",
  "operation-request",
  "whereabouts",
  "look-request",
  "look-answer",
  "node-report",
  "operation-result",
  "doctor-report",
  "fleet-snapshot",
] as const;
export type WireDocument = (typeof DOCUMENTS)[number];

/** What is wrong, as a phrase that names the place (`spec.cpus.count must be >= 1`); null: nothing. */
export function findRequestError(document: WireDocument, value: unknown): string | null {
  const problem = findProblem("strict", document, value);
  if (problem !== null || document !== "put-vm-request") return problem;
  return findInconsistency(value as PutVmRequest);
}

export function findAnswerError(document: WireDocument, value: unknown): string | null {
  return findProblem("tolerant", document, value);
}

/** Of one VM of a report, as `findAnswerError` says it of the whole. */
export function findVmReportError(value: unknown): string | null {
  const validate = validatorOf("tolerant", `${schemaId("node-report")}#/$defs/vmReport`);
  return validate(value) ? null : describeError(validate.errors?.[0]);
}

/** Of what a report says of how long things took. */
export function findHistoryError(value: unknown): string | null {
  const validate = validatorOf("tolerant", `${schemaId("node-report")}#/properties/history`);
  return validate(value) ? null : describeError(validate.errors?.[0]);
}

type Reading = "strict" | "tolerant";

function findProblem(reading: Reading, document: WireDocument, value: unknown): string | null {
  const validate = validator(reading, document);
  return validate(value) ? null : describeError(validate.errors?.[0]);
}

/** What a schema cannot say. */
function findInconsistency({ spec, files }: PutVmRequest): string | null {
  if (spec.cpus.max < spec.cpus.count) return "spec.cpus.max must not be below spec.cpus.count";
  if (spec.memory.maxMiB < spec.memory.sizeMiB) return "spec.memory.maxMiB must not be below spec.memory.sizeMiB";
  for (const list of ["disks", "nics"] as const) {
    const names = spec[list].map((item) => item.name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) return `spec.${list} has two named ${twice}`;
  }
  for (const [digest, text] of Object.entries(files)) {
    if (digestOfText(text) !== digest) return `files.${digest.slice(0, 12)}… is not the sha256 of its text`;
  }
  return null;
}

// Compiling takes some 30 ms: only what is used is compiled, once in a process.
const compilers = new Map<Reading, Ajv2020>();
const validators = new Map<string, ValidateFunction>();

const validator = (reading: Reading, document: WireDocument): ValidateFunction =>
  validatorOf(reading, schemaId(document));

function validatorOf(reading: Reading, schema: string): ValidateFunction {
  const key = `${reading} ${schema}`;
  const known = validators.get(key);
  if (known !== undefined) return known;
  const validate = compiler(reading).getSchema(schema);
  if (validate === undefined) throw new Error(`no schema ${schema}`);
  validators.set(key, validate);
  return validate;
}

function compiler(reading: Reading): Ajv2020 {
  const known = compilers.get(reading);
  if (known !== undefined) return known;
  // Our schemas are checked against their meta-schema by the tests: doing it at each start would cost more than compiling them.
  const ajv = new Ajv2020({
    discriminator: true,
    allowUnionTypes: true,
    strictTypes: false,
    strictRequired: false,
    validateSchema: false,
  });
  for (const document of DOCUMENTS) {
    const schema = readSchema(document);
    ajv.addSchema(reading === "strict" ? schema : withoutClosedObjects(schema));
  }
  compilers.set(reading, ajv);
  return ajv;
}

const schemaId = (document: WireDocument): string => `https://odorobo.dev/schemas/${document}.schema.json`;

function readSchema(document: WireDocument): object {
  return JSON.parse(readFileSync(new URL(`schemas/${document}.schema.json`, PACKAGE_ROOT), "utf8"));
}

function withoutClosedObjects<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(withoutClosedObjects) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).filter(([key, value]) => !(key === "additionalProperties" && value === false));
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutClosedObjects(value)])) as T;
}

function describeError(error: ErrorObject | undefined): string {
  if (error === undefined) return "it is not as the schema says";
  const place = error.instancePath.slice(1).replaceAll("/", ".");
  const at = (name: unknown) => (place === "" ? String(name) : `${place}.${name}`);
  switch (error.keyword) {
    case "additionalProperties":
      return `${at(error.params.additionalProperty)} is not a known field`;
    case "required":
      return `${at(error.params.missingProperty)} is missing`;
    case "enum":
      return `${place} must be one of ${error.params.allowedValues.map((value: unknown) => value ?? "null").join(", ")}`;
    case "discriminator":
      return `${at(error.params.tag)} is not one of the known kinds`;
    default:
      return `${place === "" ? "the document" : place} ${error.message ?? "is not as the schema says"}`;
  }
}
