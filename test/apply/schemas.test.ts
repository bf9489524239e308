/** The schemas of what apply reads and writes, against what is really read and written. */
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { STEP_KINDS } from "../../src/schedule/step.ts";
import { findPlanError } from "../../src/wire/check-shape.ts";
import { aFleet, planOf } from "../support/a-fleet.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal } from "../support/an-apply.ts";
import { anyWorld, planFor } from "../support/any-world.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";

const readSchema = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), "utf8"));

const compile = (name: string): ValidateFunction =>
  new Ajv2020({ discriminator: true, allErrors: true }).compile(readSchema(name));

for (const name of ["plan", "apply-report"]) {
  test(`${name}.schema.json is a schema, and says what it is`, () => {
    const schema = readSchema(name);
    expect(new Ajv2020({ discriminator: true }).validateSchema(schema)).toBe(true);
    expect(schema.$id).toBe(`https://odorobo.dev/schemas/${name}.schema.json`);
    expect(schema.description).toEqual(expect.any(String));
  });
}

test("every step kind is in both schemas", () => {
  for (const name of ["plan", "apply-report"]) {
    const text = JSON.stringify(readSchema(name));
    for (const kind of STEP_KINDS) expect(text).toContain(`"${kind}"`);
  }
});

test("plans of all sorts fit, as they come back from JSON", async () => {
  const silent = aFleet().nodes("n1", "n2").vm("web-1", { on: "n1" }).vm("web-2");
  const plans = [
    planOf(silent, silent.empty()),
    planOf(silent, silent.empty().silent("n1")),
    planOf(silent, silent.asDesired(), { selection: { targets: ["web-*"], excludes: ["app=db"] } }),
    planOf(aFleet().node("n1"), aFleet().node("n1").empty().has("gone", "n1"), { allowDestroy: 0 }),
    aRunnablePlan().step("createVm", "web-1", "n1").step("resumeVm", "web-2", "n1").build(),
  ];
  for (const plan of plans) expect(findPlanError(JSON.parse(JSON.stringify(plan)))).toBeNull();
});

test("of 300 random worlds, every plan fits", async () => {
  let steps = 0;
  fc.assert(
    fc.property(anyWorld, ({ fleet, world, allowances }) => {
      const plan = planFor(fleet.desired(), world.observed(), allowances);
      steps += plan.steps.length;
      expect(findPlanError(JSON.parse(JSON.stringify(plan)))).toBeNull();
    }),
    { numRuns: 300 },
  );
  if (ENOUGH_DRAWS) expect(steps).toBeGreaterThan(300);
});

test("reports of every outcome fit, and a report that contradicts itself does not", async () => {
  const validate = compile("apply-report");
  const rehearsal = new Rehearsal("n1");
  rehearsal.fleet.behave(({ id }) =>
    id === "createVm-web-1" ? { fail: { code: "HYPERVISOR_FAILED", message: "no", hint: "look" } } : undefined,
  );
  rehearsal.time.after(100, () => rehearsal.interrupt.abort());
  const never = new AbortController().signal;
  const plan = aRunnablePlan()
    .step("createVm", "web-1", "n1")
    .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] })
    .step("createVm", "web-2", "n1")
    .build();
  const report = await rehearsal.apply(plan);
  expect(report.steps.map((step) => step.outcome)).toEqual(["failed", "skipped", "done"]);
  expect(validate(JSON.parse(JSON.stringify(report))) || validate.errors).toBe(true);
  await rehearsal.time.until(rehearsal.time.sleep(200, never));
  expect(validate(await rehearsal.apply(plan)) || validate.errors).toBe(true);

  const [failed, skipped, done] = report.steps;
  expect(validate({ ...report, steps: [{ ...done, error: failed?.error }] })).toBe(false);
  expect(validate({ ...report, steps: [{ ...failed, error: null }] })).toBe(false);
  expect(validate({ ...report, steps: [{ ...skipped, skippedBecause: null }] })).toBe(false);
  expect(validate({ ...report, version: 2 })).toBe(false);
});
