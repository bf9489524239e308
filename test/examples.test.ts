/**
 * The examples are golden tests: each is a fleet, what its agents said once, and the plan that follows, as text and as JSON.
 * To accept new output after reading it: npx vitest run test/examples.test.ts -u
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readManifests } from "../src/manifest/read-manifests.ts";
import type { ObservedState } from "../src/model/observed-state.ts";
import { checkPlan } from "../src/plan/check-plan.ts";
import { makePlan } from "../src/plan/make-plan.ts";
import { renderPlanMarkdown } from "../src/report/plan/plan-markdown.ts";
import { renderPlan } from "../src/report/plan/plan-text.ts";
import { readFolder } from "../src/source/read-folder.ts";
import { findAnswerError } from "../src/wire/check-shape.ts";

const EXAMPLES = join(import.meta.dirname, "../examples");
const { signal } = new AbortController();

/** The others are of another kind: `ci/`. */
const names = readdirSync(EXAMPLES)
  .filter((name) => existsSync(join(EXAMPLES, name, "fleet")))
  .sort();

test("there are examples", () => {
  expect(names).toHaveLength(10);
});

test.each(names)("%s", async (name) => {
  const folder = join(EXAMPLES, name);
  const { texts } = await readFolder(join(folder, "fleet"), signal);
  const { desired, diagnostics } = readManifests(texts);
  expect(diagnostics).toEqual([]);
  if (desired === null) throw new Error("no diagnostics, and no desired state");
  const observed = JSON.parse(readFileSync(join(folder, "observed.json"), "utf8")) as ObservedState;
  for (const node of observed.nodes) {
    if (node.reach === "answered") expect(findAnswerError("node-report", node.report)).toBeNull();
  }
  const plan = makePlan({
    desired,
    observed,
    source: `examples/${name}/fleet`,
    commit: null,
    selection: null,
    allowances: { maxClass: null, allowDestroy: null },
  });
  expect(checkPlan(plan, desired, observed)).toEqual([]);
  await expect(renderPlan(plan, { colour: false, verbose: false })).toMatchFileSnapshot(join(folder, "plan.txt"));
  await expect(renderPlanMarkdown(plan)).toMatchFileSnapshot(join(folder, "plan.md"));
  await expect(`${JSON.stringify(plan, null, 2)}\n`).toMatchFileSnapshot(join(folder, "plan.json"));
});
