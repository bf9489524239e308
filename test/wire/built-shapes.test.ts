/** What is installed checks what comes over the wire, and plans that were kept, as the schemas do: its functions were compiled at the build. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { vmName } from "../../src/model/names.ts";
import { compileShape, SHAPES } from "../../src/wire/compile-shapes.ts";
import { aFleet, planOf } from "../support/a-fleet.ts";
import { builtProgram } from "../support/built.ts";
import { spoil } from "../support/spoil.ts";
import { aNodeReport, aPut, aResult, aVmReport } from "../support/wire-builders.ts";

const require = createRequire(import.meta.url);

const examplesOf = (document: string): readonly unknown[] =>
  (JSON.parse(readFileSync(`schemas/${document}.schema.json`, "utf8")) as { examples?: unknown[] }).examples ?? [];

const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n1" }).vm("web-2");

const VALUES: readonly unknown[] = [
  ...["vm-spec", "put-vm-request", "operation-request", "operation-result", "node-report", "fleet-snapshot"].flatMap(
    examplesOf,
  ),
  JSON.parse(JSON.stringify(planOf(fleet, fleet.empty()))),
  aPut(),
  aResult(vmName("web-1"), "a"),
  aVmReport("a"),
  aNodeReport("n1", { vms: [aVmReport("a"), aVmReport("b")] }),
];

test.each(SHAPES)("%s %s: the same verdict, with the same first mistake", (reading, shape) => {
  const built = require(builtProgram(`shape.${reading}.${shape}`)).default;
  const compiled = compileShape(reading, shape);
  const agree = (value: unknown): void => {
    expect(built(value)).toBe(compiled(value));
    expect(built.errors?.[0] ?? null).toEqual(compiled.errors?.[0] ?? null);
  };
  for (const value of VALUES) agree(value);
  fc.assert(
    fc.property(
      fc.constantFrom(...VALUES),
      fc.array(fc.nat(20), { maxLength: 5 }),
      fc.constantFrom<unknown>(undefined, null, -1, "", "x", [], {}, 1.5),
      (value, path, by) => agree(spoil(value, path, by)),
    ),
    { numRuns: 60 },
  );
});
