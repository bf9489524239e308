/**
 * The functions that check documents by the schemas in `schemas/`, compiled here and now. What is installed has them compiled already
 * (`scripts/build.ts`): that takes some 200 ms, of every command that asks an agent for anything.
 */
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { PACKAGE_ROOT } from "../platform/package-root.ts";

const DOCUMENTS = [
  "vm-spec",
  "put-vm-request",
  "operation-request",
  "whereabouts",
  "lease-request",
  "lease",
  "look-request",
  "look-answer",
  "image-fetch-request",
  "image-fetch",
  "image-prune-request",
  "image-pruned",
  "node-images",
  "node-report",
  "operation-result",
  "doctor-report",
  "fleet-snapshot",
] as const;
export type WireDocument = (typeof DOCUMENTS)[number];

/** `strict`: a field that is not known is a mistake. `tolerant`: it is passed over. */
export type Reading = "strict" | "tolerant";

/** Documents, parts of one that are checked by themselves, and what is kept in a file and must be as it was written. */
export type Shape = WireDocument | "node-report.vm" | "node-report.history" | "plan";

const schemaOf = (document: WireDocument | "plan"): string => `https://odorobo.dev/schemas/${document}.schema.json`;

const PARTS: Readonly<Record<Exclude<Shape, WireDocument | "plan">, string>> = {
  "node-report.vm": `${schemaOf("node-report")}#/$defs/vmReport`,
  "node-report.history": `${schemaOf("node-report")}#/properties/history`,
};

/** All that anybody asks for; the build makes a module of each. */
export const SHAPES: readonly (readonly [Reading, Shape])[] = [
  ...DOCUMENTS.flatMap((document) => [["strict", document] as const, ["tolerant", document] as const]),
  ["tolerant", "node-report.vm"],
  ["tolerant", "node-report.history"],
  ["strict", "plan"],
];

const compilers = new Map<Reading, Ajv2020>();

/** Each compiler is made once in a process; the build brings its own. */
export function compileShape(reading: Reading, shape: Shape, own?: Ajv2020): ValidateFunction {
  const compiler = own ?? compilers.get(reading) ?? compilerFor(reading);
  if (own === undefined) compilers.set(reading, compiler);
  const validate = compiler.getSchema(
    shape in PARTS ? PARTS[shape as keyof typeof PARTS] : schemaOf(shape as WireDocument | "plan"),
  );
  if (validate === undefined) throw new Error(`no schema ${shape}`);
  return validate;
}

/** `withSource`: for the build, which writes down what was compiled. */
export function compilerFor(reading: Reading, { withSource = false } = {}): Ajv2020 {
  // Our schemas are checked against their meta-schema by the tests: doing it at each start would cost more than compiling them.
  const ajv = new Ajv2020({
    discriminator: true,
    allowUnionTypes: true,
    strictTypes: false,
    strictRequired: false,
    validateSchema: false,
    code: { source: withSource },
  });
  for (const document of [...DOCUMENTS, "plan"]) {
    const schema = readSchema(document);
    ajv.addSchema(reading === "strict" ? schema : withoutClosedObjects(schema));
  }
  return ajv;
}

function readSchema(document: string): object {
  return JSON.parse(readFileSync(new URL(`schemas/${document}.schema.json`, PACKAGE_ROOT), "utf8"));
}

function withoutClosedObjects<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(withoutClosedObjects) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).filter(([key, value]) => !(key === "additionalProperties" && value === false));
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutClosedObjects(value)])) as T;
}
