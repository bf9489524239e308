/** Agents as one meets them on bad days, through the command line: one bad node is unknown, the others are planned and applied. */
import { writeFile } from "node:fs/promises";
import { describe, expect } from "vitest";
import type { ApplyReport } from "../../src/apply/apply-report.ts";
import { badAgents } from "../support/bad-agents.ts";
import { expectRefusal } from "../support/system-refusal.ts";
import { expectCode } from "../support/system-scenario.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";
import { until } from "../support/until.ts";

const BAD = {
  refuses: /cannot reach http/,
  hangs: /no answer within 10 s/,
  hangsInTheMiddle: /no answer within 10 s/,
  answersHtml: /answered 200 text\/html instead of a report/,
  answersHtmlAsError: /answered 502 text\/html instead of a report/,
  answersHalf: /broke off/,
  answersBrokenJson: /broken JSON instead of a report/,
  answersWrongShape: /something else than a report: capacity\.\w+ is missing/,
  answersWithoutEnd: /more than 64 MiB|no answer within/,
  dies: /closed the connection/,
  speaksSsh: /does not speak HTTP/,
} as const;

describe.concurrent("agents on bad days", PATIENT, () => {
  systemTest("each bad node is unknown, says why, and the good one is applied (4)", async ({ world }) => {
    await using opened = new AsyncDisposableStack();
    const good = await world.agent("good");
    await world.vm("web-1");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    const names = new Map<string, RegExp>();
    for (const [kind, says] of Object.entries(BAD)) {
      const bad = opened.use(await badAgents[kind as keyof typeof BAD]());
      const name = kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      await world.node(name, bad.url);
      names.set(name, says);
    }
    await world.vm("web-1", ["cpus: { count: 2, max: 2 }"]);
    await world.vm("web-2", ["placement: { node: refuses }"]);

    const apply = await expectCode(world.cli("apply", world.fleet, "--yes", "--timeout", "10s"), 4);
    expect(apply.stdout).toContain("Applied: 1 done, 0 failed, 0 skipped");
    for (const [name, says] of names) {
      const line = apply.stdout.split("\n").find((each) => each.includes(`? node ${name}: `));
      expect(line, apply.stdout).toMatch(says);
      expect(line?.length, line).toBeLessThan(250);
    }
    expect(await good.vm("web-1")).toMatchObject({ phase: "running", live: { cpus: { count: 2 } } });
  });

  systemTest("an agent that dies in the middle of an operation", async ({ world }) => {
    const n1 = await world.agent("n1");
    await world.vm("web-1", [], { "noop.odorobo.dev/boot-delay": "1h" });
    const apply = world.start("apply", world.fleet, "--yes");
    await until("it boots", async () => (await n1.report()).unfinished.some((each) => each.kind === "boot"));
    await n1.kill();
    // It could come back and knows what it had begun: so it is waited for, until somebody has enough.
    apply.child.kill("SIGINT");
    await apply.waitFor("stderr", "Interrupted: finishing 1 in flight");
    apply.child.kill("SIGINT");
    const { code, stdout } = await apply.ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/failed {2}boot web-1 on n1: not waited for: n1 may still be at it/);

    await n1.start();
    expect(await n1.vm("web-1")).toMatchObject({ phase: "stopped", reason: expect.stringContaining("cut short") });
    await world.vm("web-1");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
    expect(await n1.vm("web-1")).toMatchObject({ phase: "running" });
  });

  systemTest("a step that fails names itself, its reason and what to do; the next apply goes on", async ({ world }) => {
    await world.agent("n1");
    await world.vm("web-1", [], { "noop.odorobo.dev/fail": "boot" });
    await world.vm("web-2");
    const failed = await expectCode(world.cli("apply", world.fleet, "--yes", "--json"), 1);
    const report = JSON.parse(failed.stdout) as ApplyReport;
    expect(report).toMatchObject({ outcome: "failed", counts: { done: 3, failed: 1, skipped: 0 } });
    expect(report.steps.find((step) => step.outcome === "failed")).toMatchObject({
      title: "boot web-1 on n1",
      error: { code: "HYPERVISOR_FAILED", hint: expect.stringContaining("noop.odorobo.dev/fail") },
    });
    await world.vm("web-1");
    await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
  });

  systemTest("a token that is missing or wrong: the node is unknown and says which", async ({ world }) => {
    await writeFile(`${world.scratch}/token`, "right", { mode: 0o600 });
    await writeFile(`${world.scratch}/wrong`, "wrong", { mode: 0o600 });
    await world.agent("n1", { flags: ["--token-file", `${world.scratch}/token`] });
    await world.vm("web-1");
    const without = await expectCode(world.cli("plan", world.fleet), 4);
    expect(without.stdout).toMatch(/\? node n1: .*token/);
    const wrong = await expectCode(world.cli("apply", world.fleet, "--yes", "--token-file", "wrong"), 4);
    expect(wrong.stdout).toMatch(/\? node n1: .*token/);
    expectRefusal(await world.cli("plan", world.fleet, "--token-file", "none"), {
      exit: 1,
      code: "USAGE",
      names: "cannot read none",
      hint: "token",
    });
    await expectCode(world.cli("apply", world.fleet, "--yes", "--token-file", "token"), 0);
  });

  systemTest("an agent that answers by another name is not believed", async ({ world }) => {
    const n1 = await world.agent("n1");
    await world.vm("web-1");
    await world.remove("nodes/n1.yaml");
    await world.node("n2", n1.url);
    const plan = await expectCode(world.cli("plan", world.fleet), 4);
    expect(plan.stdout).toMatch(/\? node n2: http.* answered as n1, not n2/);
  });
});
