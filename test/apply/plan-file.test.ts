import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readPlanFile, writePlanFile } from "../../src/apply/plan-file.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { planIdOf } from "../../src/plan/plan-id.ts";
import { aFleet, planOf } from "../support/a-fleet.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "plan-"));
  path = join(folder, "plan.json");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n1" }).vm("web-2", { on: "n2", protect: true });
const plan = planOf(fleet, fleet.empty().has("web-1", "n1", { phase: "stopped" }));

/** As if the planner had made it so: another content has another id. */
const withId = (changed: object): object => ({ ...changed, id: planIdOf(changed as Plan) });

test("a plan comes back as it was written", async () => {
  await writePlanFile(path, plan);
  expect(await readPlanFile(path)).toEqual(plan);
  expect(await readFile(path, "utf8")).toBe(`${JSON.stringify(plan, null, 2)}\n`);
  expect(await readdir(folder)).toEqual(["plan.json"]);
  expect((await stat(path)).mode & 0o777).toBe(0o666 & ~process.umask());
});

test("an older file is replaced, through a link too", async () => {
  await writeFile(path, "old and much longer than nothing");
  const link = join(folder, "link.json");
  await symlink("plan.json", link);
  await writePlanFile(link, plan);
  expect(await readPlanFile(path)).toEqual(plan);
  expect((await readdir(folder)).sort()).toEqual(["link.json", "plan.json"]);
});

test("what is no file is written to, not replaced", async () => {
  await writePlanFile("/dev/null", plan);
  expect((await stat("/dev/null")).isCharacterDevice()).toBe(true);
});

test("a plan that cannot be written says so", async () => {
  const nowhere = join(folder, "no", "plan.json");
  await expect(writePlanFile(nowhere, plan)).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    message: `the plan could not be written to ${nowhere}`,
    hint: "its folder does not exist",
  });
  await expect(writePlanFile(folder, plan)).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    message: `${folder} is a folder, not a file to write the plan to`,
    hint: `name a file in it: --out ${folder}/plan.json`,
  });
});

const text = JSON.stringify(plan, null, 2);
const refused: Record<string, { content: string | Buffer; says: string; code?: string }> = {
  "an empty file": { content: " \n", says: "is empty" },
  "half a plan": { content: text.slice(0, text.length / 2), says: "is cut off or damaged: it is not whole JSON" },
  "all but the last brace": { content: text.slice(0, -1), says: "is cut off or damaged: it is not whole JSON" },
  "a text": { content: "kind: Plan\n", says: "is not JSON" },
  "a binary file": { content: Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff, 0x00]), says: "is not JSON" },
  "another kind of document": {
    content: '{"kind":"ApplyReport","version":1}',
    says: 'is not a plan but a document of kind "ApplyReport"',
  },
  "some other JSON": { content: "[1, 2]", says: "is not a plan but some other JSON" },
  null: { content: "null", says: "is not a plan but some other JSON" },
  "a plan of a later version": {
    content: JSON.stringify({ kind: "Plan", version: 2, waves: [] }),
    says: "is a plan made by version 2; this odorobo reads version 1",
    code: "PLAN_VERSION",
  },
  "a plan without a version": {
    content: JSON.stringify({ kind: "Plan" }),
    says: "is a plan without a version; this odorobo reads version 1",
    code: "PLAN_VERSION",
  },
  "a plan without steps": {
    content: JSON.stringify(withId({ ...plan, steps: undefined })),
    says: "is not a whole plan: steps is missing",
  },
  "a step of a kind that we do not know": {
    content: JSON.stringify(withId({ ...plan, steps: [{ ...plan.steps[0], kind: "formatVm" }] })),
    says: "is not a whole plan: steps.0.kind is not one of the known kinds",
  },
  "a create without its generation": {
    content: JSON.stringify(withId({ ...plan, steps: [{ ...plan.steps[0], kind: "createVm" }] })),
    says: "is not a whole plan: steps.0.generation is missing",
  },
  "a wish that we do not know": {
    content: JSON.stringify(withId({ ...plan, steps: [{ ...plan.steps[0], force: true }] })),
    says: "is not a whole plan: steps.0.force is not a known field",
  },
  "a spec of the wrong shape": {
    content: JSON.stringify(withId({ ...plan, specs: { "web-2": { ...plan.specs["web-2" as never], cpus: 4 } } })),
    says: "is not a whole plan: specs.web-2.cpus must be object",
  },
  "a VM with a name that is a path": {
    content: JSON.stringify(withId({ ...plan, base: { ...plan.base, vms: { "../x": null } } })),
    says: "is not a whole plan: base.vms",
  },
  "a plan that somebody edited": {
    content: text.replace('"protect": true', '"protect": false'),
    says: `was changed after it was made: its content does not fit its id ${plan.id}`,
  },
};
for (const [what, { content, says, code = "PLAN_FILE_INVALID" }] of Object.entries(refused)) {
  test(`${what} is refused`, async () => {
    await writeFile(path, content);
    await expect(readPlanFile(path)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`${path} ${says}`),
      hint: expect.stringContaining("odorobo plan --out"),
    });
  });
}

test("the edit of the test above is an edit", () => {
  expect(text).toContain('"protect": true');
});

test("no file, and a folder in its place", async () => {
  await expect(readPlanFile(path)).rejects.toMatchObject({
    code: "PLAN_FILE_INVALID",
    message: `there is no plan file ${path}`,
  });
  await mkdir(path);
  await expect(readPlanFile(path)).rejects.toMatchObject({
    code: "PLAN_FILE_INVALID",
    message: `${path} is a folder, not a plan file`,
  });
});

test("the same plan, seen a minute later, is still the plan that was reviewed", async () => {
  const later = { ...plan, base: { ...plan.base, observedAt: "2026-01-01T12:01:00.000Z" } } as Plan;
  await writePlanFile(path, later);
  expect(await readPlanFile(path)).toEqual(later);
});

test("a plan that was cut anywhere is never read as another one", async () => {
  for (let part = 1; part < 40; part++) {
    await writeFile(path, text.slice(0, Math.floor((text.length * part) / 40)));
    await expect(readPlanFile(path)).rejects.toMatchObject({ code: "PLAN_FILE_INVALID" });
  }
});
