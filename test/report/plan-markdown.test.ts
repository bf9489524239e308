import { expect, test } from "vitest";
import { LONGEST_MARKDOWN, renderPlanMarkdown } from "../../src/report/plan/plan-markdown.ts";
import { aPlan } from "../support/a-plan.ts";

test("a pull request shows the summary, a row for each change, and the rest folded", () => {
  const plan = aPlan()
    .change("web-1", "create", "live", "n1", { text: "in the manifests, on no node", at: "web.yaml:3" })
    .step("createVm", "web-1", "n1")
    .silentNode("n3", "connection refused")
    .unchanged(2)
    .build();
  expect(renderPlanMarkdown(plan)).toMatchInlineSnapshot(`
    "### odorobo plan: demo

    **1 to create; 2 unchanged**

    > **Unknown, and therefore left alone**

    \`\`\`text
      ? node n3: connection refused
    \`\`\`

    | | VM | node | impact | why |
    | --- | --- | --- | --- | --- |
    | <code>\\+</code> create | <code>web-1</code> | <code>n1</code> | none | in the manifests, on no node |

    <details><summary>Why: 1 change</summary>

    \`\`\`text
      + web-1 on n1: create
          in the manifests, on no node  web.yaml:3
      signs: + is made new
    \`\`\`

    </details>

    <details><summary>Order: 1 step</summary>

    \`\`\`text
    1 step:
      1. create web-1 on n1
    \`\`\`

    </details>

    <sub>./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z · plan 0123456789abcdef</sub>
    "
  `);
});

test("ten thousand changes fit a comment, and the cut is said", () => {
  const plan = aPlan();
  for (let i = 0; i < 10_000; i++) {
    plan.change(`vm-${i}`, "update", "live", `n${i % 500}`, {
      text: `labels.owner ${i} → ${i + 1} ${"because ".repeat(10)}`,
      at: `vms/${i}.yaml:4`,
    });
    plan.step("updateVm", `vm-${i}`, `n${i % 500}`);
    plan.blocked(`b-${i}`, "SHRINK", "disk root cannot shrink", "set its size");
  }
  plan.refused("PLAN_REFUSED", "too much", "do less");
  const markdown = renderPlanMarkdown(plan.build());
  expect(markdown.length).toBeLessThanOrEqual(LONGEST_MARKDOWN);
  expect(markdown).toMatch(/and \d+ more rows, cut here/);
  expect(markdown).toMatch(/and \d+ more lines, cut here: odorobo plan --verbose/);
});

test("nothing that others wrote becomes markup, a mention or the end of a fence", () => {
  const plan = aPlan()
    .change("web|1", "update", "live", "n1", { text: "labels.x `a` → <img src=x> @everyone | ```` \n# title [a](b)" })
    .silentNode("n3", "```\n<script>")
    .build();
  const markdown = renderPlanMarkdown(plan);
  const outsideFences = markdown.replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, "");
  expect(outsideFences).not.toMatch(/<img|<script|@everyone|(?<!\\)\|1|\n# title/);
  expect(markdown).toContain("`````text");
});

test("many steps are told wave by wave: a pull request is no place for a list of them", () => {
  const builder = aPlan();
  for (let index = 1; index <= 30; index++)
    builder
      .change(`web-${index}`, "create", "live", "n1", { text: "new" })
      .step("createVm", `web-${index}`, "n1")
      .step("bootVm", `web-${index}`, "n1", `createVm web-${index}`);
  const text = renderPlanMarkdown(builder.build());
  expect(text).toContain("1. create 30 VMs on n1 (30)\n  2. boot 30 VMs on n1 (30)\n");
  expect(text).not.toContain("create web-7");
});
