/** Whatever a hostile manifest, agent or error says: nothing of it is markup in the comment, and the comment fits. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { FORGE_LIMITS } from "../../../src/gateway/forge/forge.ts";
import { markerOf, type PlannedPull, renderPullComment } from "../../../src/gateway/forge/pull-comment.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { aPlan } from "../../support/a-plan.ts";

const HOSTILE = [
  "@everyone look",
  "@org/team",
  "<img src=https://evil.example/t.gif>",
  "![x](https://evil.example/t.gif)",
  "[click](javascript:alert(1))",
  "</details>",
  "-->",
  "<!-- odorobo:plan:shop -->",
  "```",
  "````\n**all is well**",
  "~~~",
  "| a | b |",
  "\n\n# All checks passed",
  "\r\n/close",
  "/approve",
  "https://evil.example",
  "www.evil.example",
  "#1",
  "!1",
  "GH-1",
  "&#64;everyone",
  "&lt;b&gt;",
  "\u202eevil",
  "\u001b[31m",
  "$$x$$",
  "<script>",
  "\\",
  "`",
  "*",
  "_",
  ":tada:",
  "Closes #1",
];
const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc
    .array(fc.constantFrom(...HOSTILE, " ", "\n", "`", "x"), { minLength: 1, maxLength: 8 })
    .map((parts) => parts.join("")),
);
const base = {
  fleet: "shop",
  base: { ref: "main", commit: "a".repeat(40) },
  head: "b".repeat(40),
  mergeBase: null,
  stale: null,
};

/** Outside of fences: inside of them nothing means anything but their end. */
function outside(comment: string): string {
  const kept: string[] = [];
  let fence: string | null = null;
  for (const line of comment.split("\n")) {
    const mark = /^(`{3,})/.exec(line)?.[1];
    if (fence === null && mark !== undefined) fence = mark;
    else if (fence !== null && line === fence) fence = null;
    else if (fence === null) kept.push(line);
  }
  expect(fence, "every fence is closed").toBeNull();
  return kept.join("\n");
}

function expectHarmless(comment: string, kind: "github" | "bitbucket") {
  const marker = markerOf("shop", FORGE_LIMITS[kind]);
  expect(comment.startsWith(marker)).toBe(true);
  const text = outside(comment.slice(marker.length));
  expect(text).not.toMatch(/<(?!\/?(details|summary|sub|code)>)/);
  expect(text).not.toMatch(/@|(^|[^\\])!\[|(^|[^\\])\]\(|:\/\/|\bwww\./);
  expect(text).not.toMatch(/&#64;(?!&#8203;)/);
  expect(text).not.toMatch(/(^|\n)\/\w/);
  expect(text.split("\n").filter((line) => line.startsWith("#"))).toEqual(
    text.includes("### odorobo plan: ") ? [expect.stringContaining("### odorobo plan: ")] : [],
  );
  expect(comment.length).toBeLessThanOrEqual(FORGE_LIMITS[kind].comment);
}

test("in a plan", () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, fc.constantFrom("github", "bitbucket"), (a, b, c, kind) => {
      const plan = aPlan()
        .change("web-1", "create", "live", "n1", { text: a })
        .change("web-2", "update", "live", "n1", { text: b })
        .blocked("db", "SHRINK", b, c)
        .silentNode("n3", c)
        .build();
      const pull: PlannedPull = {
        ...base,
        unasked: [a, b],
        result: { plan: { ...plan, fleet: c }, verdict: { forbidden: kind === "github" ? [a] : [], asks: [b, c] } },
        stale: b,
      };
      expectHarmless(renderPullComment(pull, FORGE_LIMITS[kind as "github"]), kind as "github");
    }),
    { numRuns: 300 },
  );
});

test("in an error", () => {
  fc.assert(
    fc.property(hostile, hostile, fc.constantFrom("github", "bitbucket"), (a, b, kind) => {
      const error = new OdoroboError("MANIFEST_INVALID", `1 mistake\n\n${a}\n${"x".repeat(200)}\n`.repeat(400), {
        hint: b,
      });
      const pull: PlannedPull = { ...base, unasked: [], result: { error } };
      expectHarmless(renderPullComment(pull, FORGE_LIMITS[kind as "github"]), kind as "github");
    }),
    { numRuns: 50 },
  );
});

test("ten thousand changes fit every forge, and the cut is said", () => {
  const plan = aPlan();
  for (let i = 0; i < 10_000; i++)
    plan.change(`vm-${i}`, "update", "live", `n${i % 50}`, { text: `labels.owner ${i} → ${"because ".repeat(10)}` });
  for (const kind of ["github", "gitlab", "gitea", "forgejo", "bitbucket"] as const) {
    const comment = renderPullComment(
      {
        ...base,
        unasked: Array(5_000).fill("n".repeat(63)),
        result: { plan: plan.build(), verdict: { forbidden: [], asks: Array(10_000).fill("n".repeat(63)) } },
      },
      FORGE_LIMITS[kind],
    );
    expect(comment.length).toBeLessThanOrEqual(FORGE_LIMITS[kind].comment);
    expect(comment).toContain("cut here");
  }
});
