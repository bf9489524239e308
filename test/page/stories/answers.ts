/** Yes and no to a plan that waits: by keyboard alone, by two people at once, by somebody who may not. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { PageWorld } from "../a-page-world.ts";
import { expectNoFaults, isDone, PATIENCE_MS, sees } from "./see-again.ts";

export function answers(world: () => PageWorld, runs: () => { readonly waiting: string }): void {
  test("who may only look sees what waits, and why they cannot answer", async () => {
    const run = runs().waiting;
    await using olga = await world().signedIn("olga", { at: `#/runs/${run}` });
    await sees(olga.page, "This waits for an answer");
    expect(await olga.page.getByRole("button", { name: "Approve" }).isDisabled()).toBe(true);
    expect(await olga.page.getByRole("button", { name: "Refuse" }).isDisabled()).toBe(true);
    await sees(olga.page, /You may look \(observe\), not answer/);
    expectNoFaults(olga);
  });

  test("two people answer the same run: the second is told who was first, and sees it without asking", async () => {
    const { fleet, push, waits, signedIn } = world();
    await fleet.vm("web-3", ["cpus: 2"]);
    const run = await waits(await push("two processors for web-3"));
    await using ann = await signedIn("ann", { at: `#/runs/${run}` });
    await using bob = await signedIn("bob", { at: `#/runs/${run}` });
    for (const { page } of [ann, bob]) await sees(page, "This waits for an answer");
    // Bob's page hears nothing, as a page that sleeps: his answer comes too late.
    await bob.page.route("**/v1/runs/*/events", (route) => route.abort());
    await bob.page.route("**/v1/runs/*/approve", async (route) => {
      await ann.page.getByLabel("Why, if you refuse").fill("not <b>today</b>");
      await ann.page.getByRole("button", { name: "Refuse" }).click();
      await sees(ann.page, "Refused by");
      await route.continue();
    });
    bob.mayBeCutOff();
    await bob.page.getByRole("button", { name: "Approve" }).click();
    await sees(bob.page, /not taken: .*refused by ann/);
    await sees(bob.page, "not <b>today</b>");
    expect(await bob.page.locator("dd b").count(), "markup is text").toBe(0);
    await sees(ann.page, "not <b>today</b>");
    expectNoFaults(ann);
    expectNoFaults(bob);
  });

  test("a plan is approved with the keyboard alone, and followed to its end", async () => {
    const { fleet, push, waits, signedIn } = world();
    await fleet.vm("web-2", ["cpus: 2"], { "noop.odorobo.dev/boot-delay": "700ms" });
    await fleet.vm("web-3");
    await waits(await push("two processors for web-2"));
    await using ann = await signedIn("ann", { at: "#/fleets/shop" });
    const { page } = ann;
    await sees(page, /Review \d+ change/);
    await tabTo(page, /Review \d+ change/);
    await page.keyboard.press("Enter");
    await sees(page, "This waits for an answer");
    await sees(page, "a restart");
    await tabTo(page, "Approve");
    await page.keyboard.press("Enter");
    await page.locator(".step-in-flight").first().waitFor({ timeout: PATIENCE_MS });
    await isDone(page);
    await sees(page, "Approved by");
    expect(await page.locator(".step-done").count()).toBeGreaterThan(0);
    expect(await page.locator(".step-to-come").count()).toBe(0);
    await world().settles();
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.getByRole("grid").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await sees(page, "In which order");
    expectNoFaults(ann);
  });

  test("a run is paused by one and goes on by another, and both see it", async () => {
    const { fleet, push, waits, signedIn } = world();
    for (const name of ["web-4", "web-5", "web-6"])
      await fleet.vm(name, ["cpus: 2"], { "noop.odorobo.dev/boot-delay": "1500ms" });
    await fleet.write("fleet.yaml", SLOWLY);
    const run = await waits(await push("one after another"));
    await using ann = await signedIn("ann", { at: `#/runs/${run}` });
    await using bob = await signedIn("bob", { at: `#/runs/${run}` });
    await ann.page.getByRole("button", { name: "Approve" }).click();
    await bob.page.locator(".step-in-flight").first().waitFor({ timeout: PATIENCE_MS });
    await bob.page.getByRole("button", { name: "Pause" }).click();
    await sees(ann.page, /^paus(ing|ed)$/);
    await sees(ann.page, "Paused by");
    await ann.page.getByRole("button", { name: "Resume" }).click({ timeout: PATIENCE_MS });
    await isDone(bob.page);
    expectNoFaults(ann);
    expectNoFaults(bob);
  });
}

const SLOWLY = `apiVersion: odorobo.dev/v1
kind: Fleet
metadata: { name: test }
spec:
  defaults: { hypervisor: noop, cpus: 1, memory: 64MiB }
  policy: { parallelism: { total: 1, perNode: 1 } }
`;

/** As somebody without a mouse would. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const words = String(await page.evaluate("document.activeElement.textContent")).trim();
    if (typeof name === "string" ? words === name : name.test(words)) return;
  }
  throw new Error(`sixty presses of Tab do not reach ${String(name)}`);
}
