import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ApplyReport } from "../../src/apply/apply-report.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1", ["placement: { node: n1 }"]);
  await fleet.vm("web-2", ["placement: { node: n2 }"]);
});
afterEach(() => fleet[Symbol.asyncDispose]());

const asJson = <Document>(text: string): Document => JSON.parse(text) as Document;

test("plan, apply, plan: what differs is shown, done, and then gone", async () => {
  const plan = await odorobo("plan", fleet.folder);
  expect(plan.code).toBe(0);
  expect(plan.stderr).toBe("");
  expect(plan.stdout).toContain("Plan: 2 to create\n");
  expect(plan.stdout).toContain(`To carry it out: odorobo apply ${fleet.folder}\n`);
  expect((await odorobo("plan", fleet.folder, "--detailed-exitcode")).code).toBe(2);

  const apply = await odorobo("apply", fleet.folder, "--yes");
  expect(apply.code).toBe(0);
  expect(apply.stdout).toMatch(/\nApplied: 4 done, 0 failed, 0 skipped in .*\n$/);
  expect(apply.stderr.trim().split("\n")).toHaveLength(5);
  expect(apply.stderr).toMatch(/^Run \d{8}-\d{6}-\w{4}\. .*\n\[1\/4\] done {4}create web-. on n. \(/);

  const again = await odorobo("plan", fleet.folder, "--detailed-exitcode");
  expect(again.code).toBe(0);
  expect(again.stdout).toMatch(/^Nothing to do: 2 VMs are as the manifests say\.\n/);
  const nothing = asJson<ApplyReport>((await odorobo("apply", fleet.folder, "--yes", "--json")).stdout);
  expect(nothing).toMatchObject({ kind: "ApplyReport", outcome: "done", counts: { done: 0, failed: 0, skipped: 0 } });
});

test("a changed manifest is named with its line; diff shows it without steps", async () => {
  await odorobo("apply", fleet.folder, "--yes");
  await fleet.vm("web-1", ["placement: { node: n1 }", "onDrain: stop"]);
  const diff = await odorobo("diff", fleet.folder, "--detailed-exitcode");
  expect(diff.code).toBe(2);
  expect(diff.stdout).toContain("~ web-1 on n1: update, metadata\n      onDrain migrate → stop  vms/web-1.yaml:9\n");
  expect(diff.stdout).not.toMatch(/step|To carry it out/);
  const one = await odorobo("plan", fleet.folder, "--target", "web-2");
  expect(one.stdout).toMatch(/^Nothing to do: 1 selected VM is as the manifests say/);
});

test("--json prints the document and nothing else, --format markdown what a pull request shows", async () => {
  const json = await odorobo("plan", fleet.folder, "--json");
  expect(asJson<Plan>(json.stdout)).toMatchObject({ kind: "Plan", version: 1, applyable: true });
  expect((await odorobo("plan", fleet.folder, "--format=json")).stdout).toContain('"kind": "Plan"');
  const markdown = await odorobo("plan", fleet.folder, "--format", "markdown");
  expect(markdown.stdout).toMatch(/^### odorobo plan: test\n\n\*\*2 to create/);
});

test("a saved plan is applied as it is, once, and not when a VM in it has moved on", async () => {
  const file = join(fleet.scratch, "plan.json");
  const saved = await odorobo("plan", fleet.folder, "--out", file, "--target", "web-1");
  expect(saved.stdout).toContain(`To carry it out: odorobo apply ${file} --fleet ${fleet.folder}\n`);
  await fleet.vm("web-3");
  const applied = await odorobo("apply", file, "--fleet", fleet.folder, "--yes", "--json");
  expect(applied.code).toBe(0);
  expect(asJson<ApplyReport>(applied.stdout).steps.map((step) => step.title)).toEqual([
    "create web-1 on n1",
    "boot web-1 on n1",
  ]);

  const stale = await odorobo("apply", file, "--fleet", fleet.folder, "--yes");
  expect(stale.code).toBe(5);
  expect(stale.stderr).toMatch(/^error {2}PLAN_STALE {2}.*\n {2}web-1: the plan saw no such VM; now generation 1/);
  expect(stale.stderr).not.toMatch(/\n\s+at /);
});

test("a saved plan that was cut, or that flags should change, is refused", async () => {
  const file = join(fleet.scratch, "plan.json");
  await odorobo("plan", fleet.folder, "--out", file);
  const flagged = await odorobo("apply", file, "--target", "web-1", "--fleet", fleet.folder);
  expect(flagged).toMatchObject({ code: 1, stderr: expect.stringContaining("--target cannot change it") });
  await writeFile(file, (await readFile(file, "utf8")).slice(0, 500));
  const cut = await odorobo("apply", file, "--fleet", fleet.folder, "--yes", "--json");
  expect(cut.code).toBe(1);
  expect(asJson(cut.stdout)).toMatchObject({
    error: { code: "PLAN_FILE_INVALID", hint: expect.any(String), causes: expect.any(Array) },
  });
});

test("a plan for one fleet is not applied to another", async () => {
  const file = join(fleet.scratch, "plan.json");
  await odorobo("plan", fleet.folder, "--out", file);
  await fleet.write(
    "fleet.yaml",
    "apiVersion: odorobo.dev/v1\nkind: Fleet\nmetadata: { name: other }\nspec: { defaults: { hypervisor: noop } }\n",
  );
  const outcome = await odorobo("apply", file, "--fleet", fleet.folder, "--yes");
  expect(outcome).toMatchObject({ code: 5, stderr: expect.stringContaining("a plan for the fleet test") });
});

test("without a terminal nothing is applied unless --yes says so", async () => {
  const outcome = await odorobo("apply", fleet.folder);
  expect(outcome.code).toBe(3);
  expect(outcome.stderr).toMatch(/^error {2}NOT_CONFIRMED {2}nobody is here to confirm: apply 4 steps\nhint: /);
  expect((await odorobo("vm", "list", "--fleet", fleet.folder)).stdout).toBe("No VMs.\n");
});

test("a silent node is unknown (4), and the rest is planned and applied", async () => {
  await odorobo("apply", fleet.folder, "--yes");
  await fleet.stop("n2");
  await fleet.vm("web-1", ["placement: { node: n1 }", "onDrain: stop"]);
  const plan = await odorobo("plan", fleet.folder);
  expect(plan.code).toBe(4);
  expect(plan.stdout).toContain("Plan: 1 to update (metadata); 1 unknown");
  expect(plan.stdout).toMatch(
    /\? node n2: .*\n {6}hint: is its agent running, .* odorobo agent --name n2\n {2}\? web-2: may be on n2, which does not answer/,
  );
  expect(plan.stdout).toContain("It leaves out what could not be seen.");
  const apply = await odorobo("apply", fleet.folder, "--yes");
  expect(apply).toMatchObject({ code: 4, stderr: expect.stringMatching(/^\[1\/1\] done /m) });
  const again = await odorobo("plan", fleet.folder);
  expect(again.stdout).toMatch(
    /^Nothing to do as far as could be seen: 1 VM is as the manifests say; 1 VM could not be seen\./,
  );
});

test("a budget refuses the whole plan (3) and says what would allow it", async () => {
  await odorobo("apply", fleet.folder, "--yes");
  await fleet.vm("web-1", ["placement: { node: n1 }", "memory: 256MiB"]);
  const plan = await odorobo("plan", fleet.folder, "--max-class", "metadata");
  expect(plan.code).toBe(3);
  expect(plan.stdout).toContain("Refused:\n");
  expect(plan.stdout).not.toContain("To carry it out");
  const apply = await odorobo("apply", fleet.folder, "--max-class", "metadata", "--yes");
  expect(apply.code).toBe(3);
  expect(apply.stderr).toMatch(/^error {2}PLAN_REFUSED {2}at most metadata is allowed: web-1 would need/);
});

test("what is protected and gone from the manifests is blocked (3); the rest is done", async () => {
  await fleet.vm("web-1", ["placement: { node: n1 }", "protect: true"]);
  await odorobo("apply", fleet.folder, "--yes");
  await fleet.remove("vms/web-1.yaml");
  await fleet.vm("web-3", ["placement: { node: n1 }"]);
  const apply = await odorobo("apply", fleet.folder, "--yes");
  expect(apply.code).toBe(3);
  expect(apply.stdout).toContain("web-1 on n1 is protected");
  expect(apply.stdout).toMatch(/\nApplied: 2 done.*\nLeft out, as the plan says: web-1 \(blocked\)\.\n$/);
});

test("sources that are empty delete nothing: a folder without manifests, manifests without a VM", async () => {
  await odorobo("apply", fleet.folder, "--yes");
  const empty = await odorobo("apply", join(fleet.scratch, "n1"), "--yes");
  expect(empty).toMatchObject({ code: 3, stderr: expect.stringContaining("error  SOURCE_EMPTY") });
  await fleet.remove("vms/web-1.yaml");
  await fleet.remove("vms/web-2.yaml");
  const without = await odorobo("plan", fleet.folder);
  expect(without).toMatchObject({ code: 3, stderr: expect.stringMatching(/SOURCE_EMPTY[\s\S]*odorobo destroy/) });
});

test("destroy takes all but what is protected, only with an answer or --yes within the guard", async () => {
  await fleet.vm("db-1", ["placement: { node: n1 }", "protect: true"]);
  await odorobo("apply", fleet.folder, "--yes");
  const asked = await odorobo("destroy", fleet.folder);
  expect(asked).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/NOT_CONFIRMED.*\nhint: look at the list and/),
  });
  const one = await odorobo("destroy", fleet.folder, "--target", "web-1", "--yes");
  expect(one).toMatchObject({ code: 0, stdout: expect.stringContaining("odorobo destroy asks for it") });
  const rest = await odorobo("destroy", fleet.folder, "--yes", "--json");
  expect(rest.code).toBe(3);
  expect(asJson<ApplyReport>(rest.stdout).steps.map((step) => step.title)).toEqual([
    "delete web-2 from n2, keeping its disks",
  ]);
  expect((await odorobo("vm", "list", "--fleet", fleet.folder)).stdout).toMatch(/^db-1 /m);
});

test("destroying more than the guard allows needs the number", async () => {
  for (let n = 3; n <= 8; n++) await fleet.vm(`web-${n}`);
  await odorobo("apply", fleet.folder, "--yes");
  const refused = await odorobo("destroy", fleet.folder, "--yes");
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/8 of 8 VMs.*\nhint: .*--allow-destroy 8/) });
  expect((await odorobo("destroy", fleet.folder, "--yes", "--allow-destroy", "8")).code).toBe(0);
});

test("a failed step fails the apply (1), skips what needs it, and the rest is done; the next apply goes on", async () => {
  await fleet.vm("web-1", ["placement: { node: n1 }"], { "noop.odorobo.dev/fail": "boot" });
  const failed = await odorobo("apply", fleet.folder, "--yes");
  expect(failed.code).toBe(1);
  expect(failed.stdout).toContain("Applied in part: 3 done, 1 failed, 0 skipped");
  expect(failed.stdout).toMatch(/failed {2}boot web-1 on n1: .*HYPERVISOR_FAILED/);
  await fleet.vm("web-1", ["placement: { node: n1 }"]);
  expect((await odorobo("apply", fleet.folder, "--yes")).code).toBe(0);
});
