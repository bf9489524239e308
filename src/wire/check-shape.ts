/**
 * Whether a document that came over the wire, or holds what did, is what it should be, by the schemas in `schemas/`.
 *
 * Requests are read strictly: a field that the agent does not know would be a wish that it silently drops.
 * Answers are read tolerantly: a newer agent may say more than we know, but nothing may be missing or of another type.
 */
import { createRequire } from "node:module";
import type { ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import { digestOfText } from "../model/digest.ts";
import type { Reading, Shape, WireDocument } from "./compile-shapes.ts";
import type { PutVmRequest } from "./operations.ts";

export type { WireDocument } from "./compile-shapes.ts";

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
  const validate = validatorOf("tolerant", "node-report.vm");
  return validate(value) ? null : describeError(validate.errors?.[0]);
}

/** Of what a report says of how long things took. */
export function findHistoryError(value: unknown): string | null {
  const validate = validatorOf("tolerant", "node-report.history");
  return validate(value) ? null : describeError(validate.errors?.[0]);
}

/** Of a plan that was kept: nothing may be missing, and nothing more than a plan has. */
export function findPlanError(value: unknown): string | null {
  return findProblem("strict", "plan", value);
}

function findProblem(reading: Reading, document: Shape, value: unknown): string | null {
  const validate = validatorOf(reading, document);
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

/** Put there by the build. */
declare const BUILT_FROM: string | undefined;

// What is installed brings them compiled and without the compiler; each is read when it is first asked for.
const compile =
  typeof BUILT_FROM === "string"
    ? (reading: Reading, shape: Shape): ValidateFunction =>
        createRequire(import.meta.url)(`./shape.${reading}.${shape}.js`).default
    : (await import("./compile-shapes.ts")).compileShape;

const validators = new Map<string, ValidateFunction>();

function validatorOf(reading: Reading, shape: Shape): ValidateFunction {
  const key = `${reading} ${shape}`;
  const known = validators.get(key);
  if (known !== undefined) return known;
  const validate = compile(reading, shape);
  validators.set(key, validate);
  return validate;
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
    case "const":
      return `${place} must be ${JSON.stringify(error.params.allowedValue)}`;
    case "discriminator":
      return `${at(error.params.tag)} is not one of the known kinds`;
    default:
      return `${place === "" ? "the document" : place} ${error.message ?? "is not as the schema says"}`;
  }
}
