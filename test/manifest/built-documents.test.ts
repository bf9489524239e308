/** What is installed checks what users write as the schemas do, and needs no compiler for it: its functions were compiled at the build. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compileDocument, WRITTEN_DOCUMENTS } from "../../src/manifest/text/compile-documents.ts";
import { builtProgram } from "../support/built.ts";
import { spoil } from "../support/spoil.ts";

const require = createRequire(import.meta.url);

const A_GATEWAY = {
  kind: "Gateway",
  listen: "127.0.0.1:8900",
  fleets: [{ name: "shop", repository: { url: "ssh://git@forge.example/fleet.git", ref: "main", path: "vms" } }],
};

test.each(WRITTEN_DOCUMENTS)("%s: the same mistakes, each with the part of the schema that it is against", (name) => {
  const { examples = [A_GATEWAY] } = JSON.parse(readFileSync(`schemas/${name}.schema.json`, "utf8")) as {
    examples?: unknown[];
  };
  const built = require(builtProgram(`document.${name}`)).default;
  const compiled = compileDocument(name);
  const agree = (value: unknown): void => {
    expect(built(value)).toBe(compiled(value));
    expect(built.errors).toEqual(compiled.errors);
  };
  for (const value of examples) agree(value);
  fc.assert(
    fc.property(
      fc.constantFrom(...examples),
      fc.array(fc.nat(20), { maxLength: 5 }),
      fc.constantFrom<unknown>(undefined, null, -1, "", "x", [], {}, 1.5),
      (value, path, by) => agree(spoil(value, path, by)),
    ),
    { numRuns: 60 },
  );
});

test("no compiler of schemas is in what is installed: it would only be there to be waited for", () => {
  const folder = dirname(builtProgram("main"));
  const compilers = readdirSync(folder).filter(
    (file) => file.endsWith(".js") && /class Ajv|compileSchema/.test(readFileSync(join(folder, file), "utf8")),
  );
  expect(compilers).toEqual([]);
});
