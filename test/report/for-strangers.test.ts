/** What somebody who never saw a plan before looks for in one: held of the examples, and of what they do not show. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ACTION_SYMBOLS } from "../../src/model/changes.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { renderPlanMarkdown } from "../../src/report/plan/plan-markdown.ts";
import { renderPlan } from "../../src/report/plan/plan-text.ts";
import { aPlan } from "../support/a-plan.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const plans = readdirSync(EXAMPLES)
  .filter((name) => existsSync(join(EXAMPLES, name, "plan.json")))
  .sort()
  .map((name) => ({ name, plan: JSON.parse(readFileSync(join(EXAMPLES, name, "plan.json"), "utf8")) as Plan }));
const textOf = (plan: Plan): string => renderPlan(plan, { colour: false, verbose: false });
const times = (text: string, part: string): number => text.split(part).length - 1;

test.each(plans)("$name: which plan it is, in text and in Markdown", ({ plan }) => {
  expect(textOf(plan)).toContain(`plan ${plan.id}`);
  expect(renderPlanMarkdown(plan)).toContain(`plan ${plan.id}`);
});

test.each(plans)("$name: each sign that is used is explained, and no other", ({ plan }) => {
  const text = textOf(plan);
  const lines = text.split("\n");
  const first = lines.findIndex((line) => line.startsWith("  signs: "));
  const legend = lines.slice(
    first,
    first + 1 + lines.slice(first + 1).findIndex((line) => !line.startsWith("         ")),
  );
  for (const [action, sign] of Object.entries(ACTION_SYMBOLS)) {
    const used = plan.changes.some((change) => change.action === action);
    expect(
      legend.some((line) => ` ${line}`.includes(` ${sign} `)),
      `${sign} ${action}`,
    ).toBe(used);
  }
});

test.each(plans)("$name: a node's maintenance is told once", ({ plan }) => {
  for (const { text } of plan.maintenance ?? []) {
    expect(times(textOf(plan), text)).toBe(1);
    expect(times(renderPlanMarkdown(plan).replaceAll("\\", ""), text)).toBe(1);
  }
});

test.each(plans)("$name: who is made or moved is told with its size, and nodes with how full they get", ({ plan }) => {
  const text = textOf(plan);
  for (const { action, size } of plan.changes)
    if (action === "create" || action === "migrate") expect(text).toContain(`${size?.cpus} cpu`);
  for (const { node, of, now, after, fullest = after } of plan.rooms ?? []) {
    expect(text).toContain(`  ${node}  `);
    for (const taken of [now, after, fullest]) {
      expect(taken.memoryMiB).toBeLessThanOrEqual(of.memoryMiB);
      expect(taken.memoryMiB).toBeGreaterThanOrEqual(0);
    }
  }
});

test.each(plans)("$name: what is blocked is told in lines that a terminal shows whole", ({ plan }) => {
  const lines = textOf(plan).split("\n");
  const from = lines.findIndex((line) => line.startsWith("Blocked"));
  if (from < 0) return;
  const to = lines.indexOf("", from);
  for (const line of lines.slice(from, to < 0 ? undefined : to)) expect(line.length, line).toBeLessThanOrEqual(110);
});

test("what becomes of those whose node is in maintenance when it is over", () => {
  const text = "n1 is in maintenance (new disks)";
  const source = { file: "nodes.yaml", line: 4, column: 1 };
  const plan: Plan = {
    ...aPlan()
      .change("batch", "stop", "reboot", "n1", { text: `${text}, and its onDrain is stop` })
      .change("cache", "update", "pause", "n1", { text: `${text}, and its onDrain is pause` })
      .change("web", "migrate", "migrate", "n2", { text })
      .build(),
    maintenance: [{ node: "n1" as never, text, source }],
  };
  expect(textOf(plan)).toContain(
    [
      "n1 is in maintenance (new disks)  nodes.yaml:4",
      "  1 VM leaves it, and stays where it goes when it is over",
      "  1 VM stops on it, keeps its room there, and the first apply after it starts it again",
      "  1 VM stands still on it, and goes on with the first apply after it",
    ].join("\n"),
  );
  expect(times(textOf(plan), "(new disks)")).toBe(1);
});
