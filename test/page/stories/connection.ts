/** Bad days between a page and its gateway: nothing stale is ever shown as if it were so. */
import { expect, test } from "vitest";
import { until } from "../../support/until.ts";
import { aCuttableWay } from "../a-cuttable-way.ts";
import { type PageWorld, PEOPLE } from "../a-page-world.ts";
import { expectNoFaults, isDone, PATIENCE_MS, sees } from "./see-again.ts";

export function connections(world: () => PageWorld): void {
  test("the connection is lost in the middle of a run: that is said, and afterwards all is there", async () => {
    const { fleet, push, waits, signedIn, url } = world();
    await using way = await aCuttableWay(url);
    for (const name of ["web-7", "web-8"])
      await fleet.vm(name, ["cpus: 2"], { "noop.odorobo.dev/boot-delay": "1200ms" });
    const run = await waits(await push("lost in the middle"));
    await using ann = await signedIn("ann", { url: way.url, at: `#/runs/${run}` });
    ann.mayBeCutOff();
    await ann.page.getByRole("button", { name: "Approve" }).click();
    await ann.page.locator(".step-in-flight").first().waitFor({ timeout: PATIENCE_MS });
    way.cut();
    await sees(ann.page, /Not connected since/);
    expect(await ann.page.locator(".connection").textContent()).toBe("not connected");
    await world().settles();
    expect(await ann.page.locator(".head .state", { hasText: "done" }).count(), "nobody could have told").toBe(0);
    way.mend();
    await isDone(ann.page);
    await ann.page.getByText(/Not connected since/).waitFor({ state: "detached", timeout: PATIENCE_MS });
    await until("each step is told", async () => (await ann.page.locator(".step-to-come").count()) === 0, PATIENCE_MS);
    expectNoFaults(ann);
  });

  test("a proxy that holds events back: the page asks instead, and says so", async () => {
    const { fleet, push, signedIn, url } = world();
    await using way = await aCuttableWay(url);
    await using ann = await signedIn("ann", { url: way.url, at: "#/fleets/shop/vms" });
    ann.mayBeCutOff();
    await sees(ann.page, "web-12");
    way.holdBack();
    await sees(ann.page, /holds its events back/);
    await fleet.vm("late-1");
    await push("one more");
    await sees(ann.page, "late-1");
    expect(await ann.page.locator(".connection").textContent()).toBe("polling");
    expectNoFaults(ann);
  });

  test("a session that ended leads to the sign-in, and back to where one was", async () => {
    const { letIn, signedIn } = world();
    await using omar = await signedIn("omar", { at: "#/fleets/shop/plan" });
    const { omar: _, ...others } = PEOPLE;
    await letIn(others);
    await sees(omar.page, "Your session has ended");
    await letIn(PEOPLE);
    await omar.page.getByLabel("Token").fill("token-omar");
    await omar.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await omar.page.getByRole("navigation", { name: "Of shop" }).waitFor({ timeout: PATIENCE_MS });
    expect(await omar.page.evaluate("location.hash")).toBe("#/fleets/shop/plan");
    await omar.page.locator(".menu summary").click();
    await omar.page.getByRole("button", { name: "Sign out" }).click();
    await sees(omar.page, "Token");
    expectNoFaults(omar);
  });

  test("a clock that is two hours ahead: times are the gateway's, and it is said", async () => {
    await using person = await world().browser.person();
    const { page } = person;
    await page.addInitScript({ content: "{ const now = Date.now; Date.now = () => now() + 7_200_000; }" });
    await page.goto(`${world().url}/#/fleets/shop`);
    await page.getByLabel("Token").fill("token-ann");
    await page.keyboard.press("Enter");
    await sees(page, /The clock here is 2 h ahead of the gateway's/);
    expect(await page.locator(".over-list time").textContent()).not.toMatch(/ h /);
    expectNoFaults(person);
  });

  test("a node that falls silent is shown as unknown, with since when, and nothing of it as if it were so", async () => {
    const { fleet, signedIn } = world();
    await using ann = await signedIn("ann", { at: "#/fleets/shop" });
    await sees(ann.page, "n3");
    await fleet.stop("n3");
    const card = ann.page.locator(".node", { has: ann.page.getByRole("heading", { name: "n3" }) });
    await card.getByText(/^silent$/).waitFor({ timeout: PATIENCE_MS });
    await card.getByText(/What is shown here is what it said last/).waitFor({ timeout: PATIENCE_MS });
    expect(await card.locator(".tile.tone-good").count()).toBe(0);
    await ann.page.locator(".fleet-head .notices", { hasText: /n3 is silent/ }).waitFor({ timeout: PATIENCE_MS });
    expectNoFaults(ann);
  });
}
