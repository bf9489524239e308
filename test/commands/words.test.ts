/** Small decisions of the command line: what to type next, and which exit code wins. */
import { expect, test } from "vitest";
import type { ApplyReport } from "../../src/apply/apply-report.ts";
import { applyExitCode, planExitCode } from "../../src/commands/cli/exit-code.ts";
import { nextApply } from "../../src/commands/cli/next-command.ts";
import { aPlan } from "../support/a-plan.ts";

test("what to type next is the same words, without those that only shaped the output", () => {
  const argv = ["./my fleet", "--target", "web-*", "--format", "text", "-v", "--detailed-exitcode", "--max-class=live"];
  expect(nextApply(argv, {}, "./my fleet")).toBe("odorobo apply './my fleet' --target 'web-*' --max-class=live");
});

test("after --out it is the file, and the fleet for the agents' addresses", () => {
  const argv = ["f", "--out", "plan.json", "--target", "web-1", "--token-file", "t"];
  expect(nextApply(argv, { out: "plan.json" }, "f")).toBe("odorobo apply plan.json --fleet f --token-file t");
  const git = ["--repo", "r", "--ref", "main", "-o", "p.json", "--json"];
  expect(nextApply(git, { out: "p.json" }, undefined)).toBe("odorobo apply p.json --repo r --ref main");
});

test("of several exit codes the one that must not be overlooked wins: 3 over 4 over 2", () => {
  const changed = () =>
    aPlan().change("web-1", "create", "live", "n1", { text: "new" }).step("createVm", "web-1", "n1");
  const code = (plan: ReturnType<typeof changed>) => planExitCode(plan.build(), { detailed: true });
  expect(code(aPlan())).toBe(0);
  expect(code(changed())).toBe(2);
  expect(planExitCode(changed().build(), { detailed: false })).toBe(0);
  expect(code(changed().silentNode("n2", "silent"))).toBe(4);
  expect(code(changed().silentNode("n2", "silent").blocked("db", "PROTECTED", "m", "h"))).toBe(3);
  expect(code(changed().refused("PLAN_REFUSED", "m", "h"))).toBe(3);
});

test("an apply that failed only because others were faster is stale (5)", () => {
  const plan = aPlan().build();
  const report = (...codes: ("STALE_GENERATION" | "STALE_SERIAL" | "HYPERVISOR_FAILED")[]) =>
    ({ outcome: "failed", steps: codes.map((code) => ({ error: { code, message: "" } })) }) as unknown as ApplyReport;
  expect(applyExitCode(plan, report("STALE_GENERATION", "STALE_SERIAL"))).toBe(5);
  expect(applyExitCode(plan, report("STALE_GENERATION", "HYPERVISOR_FAILED"))).toBe(1);
  expect(applyExitCode(plan, { ...report(), outcome: "interrupted" })).toBe(130);
});
