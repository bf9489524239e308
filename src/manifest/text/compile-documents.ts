/**
 * The functions that check what users write by the schemas of its kinds, compiled here and now. That takes some 200 ms of a command whose files are
 * not all known from before: what is installed has them compiled already (`scripts/build.ts` puts another module in the place of this one).
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { DOCUMENT_SCHEMAS } from "./document-schemas.ts";
import { GATEWAY_SCHEMA } from "./gateway-schema.ts";

/** Names of their schemas. */
export const WRITTEN_DOCUMENTS = [
  "fleet",
  "group",
  "image",
  "network",
  "node",
  "profile",
  "virtual-machine",
  "gateway",
] as const;
export type WrittenDocument = (typeof WRITTEN_DOCUMENTS)[number];

let compiler: Ajv2020 | undefined;

/** The errors of a check are all there are, each with the part of the schema that it is against. The build brings its own compiler. */
export function compileDocument(name: WrittenDocument, own?: Ajv2020): ValidateFunction {
  compiler ??= own ?? compilerOfDocuments();
  const validate = (own ?? compiler).getSchema(`https://odorobo.dev/schemas/${name}.schema.json`);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  return validate;
}

/** `withSource`: for the build, which writes down what was compiled. */
export function compilerOfDocuments({ withSource = false } = {}): Ajv2020 {
  // `strictTypes` would refuse `cpus: 2` beside `cpus: {count: 2}`; `verbose` gives the titles that messages use.
  // Our schemas are checked against their meta-schema by the tests.
  return new Ajv2020({
    allErrors: true,
    verbose: true,
    strictTypes: false,
    strictRequired: false,
    validateSchema: false,
    code: { source: withSource },
    schemas: [...Object.values(DOCUMENT_SCHEMAS), GATEWAY_SCHEMA],
  });
}
