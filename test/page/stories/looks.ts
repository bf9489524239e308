/** Every view as people see it: nothing that the accessibility checker finds, in either scheme; nothing cut off on a narrow screen. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessibilityFindings } from "../a-browser.ts";
import type { PageWorld } from "../a-page-world.ts";
import { expectNoFaults, goes, sees } from "./see-again.ts";

/** `npm run pictures` has them kept here. */
const PICTURES = process.env.ODOROBO_PAGE_PICTURES;

interface View {
  readonly name: string;
  readonly hash: string;
  /** What is there when it is whole. */
  readonly shows: string | RegExp;
}

/** Of a fleet in which `run` waits, and `done` is over. */
const viewsOf = (run: string, done: string): readonly View[] => [
  { name: "fleets", hash: "#/", shows: /Review \d+ change/ },
  { name: "fleet", hash: "#/fleets/shop", shows: "n3" },
  { name: "vms", hash: "#/fleets/shop/vms", shows: "web-12" },
  { name: "plan", hash: "#/fleets/shop/plan", shows: "In which order" },
  { name: "revisions", hash: "#/fleets/shop/history", shows: "in force" },
  { name: "runs", hash: "#/runs", shows: done },
  { name: "approval", hash: `#/runs/${run}`, shows: "This waits for an answer" },
  { name: "run", hash: `#/runs/${done}`, shows: /of \d+ steps done/ },
  { name: "vm", hash: "#/fleets/shop/vms/web-1", shows: "What it should be, and what it is" },
  { name: "vm-events", hash: "#/fleets/shop/vms/web-1/events", shows: /ago|just now/ },
  { name: "vm-log", hash: "#/fleets/shop/vms/web-1/log", shows: /Log|written nothing/ },
  { name: "vm-console", hash: "#/fleets/shop/vms/web-1/console", shows: /connected/ },
  { name: "nowhere", hash: "#/no/such/place", shows: "There is nothing at" },
];

export function looks(world: () => PageWorld, runs: () => { readonly waiting: string; readonly done: string }): void {
  const views = () => viewsOf(runs().waiting, runs().done);

  test.each(["light", "dark"] as const)("every view in %s, without findings of the checker", async (scheme) => {
    await using person = await world().signedIn("ann", { scheme });
    // A guest of noop has no serial line: its console is refused, and that is shown.
    person.hasNoConsole();
    for (const view of views()) {
      await show(person.page, view);
      expect(await accessibilityFindings(person.page), `${view.name}, ${scheme}`).toEqual([]);
      await picture(person.page, `${view.name}-${scheme}`);
    }
    await person.page.keyboard.press("?");
    await sees(person.page, "Keyboard shortcuts");
    expect(await accessibilityFindings(person.page), `help, ${scheme}`).toEqual([]);
    expectNoFaults(person);
  });

  test("every view on a screen of 360 pixels, with nothing beside it", async () => {
    await using person = await world().signedIn("ann", { width: 360, height: 740 });
    person.hasNoConsole();
    for (const view of views()) {
      await show(person.page, view);
      const width = await person.page.evaluate("document.documentElement.scrollWidth");
      expect(width, view.name).toBeLessThanOrEqual(360);
      expect(await person.page.evaluate(CUT_WORDS), view.name).toEqual([]);
      await picture(person.page, `${view.name}-narrow`);
    }
    expect(await accessibilityFindings(person.page)).toEqual([]);
    expectNoFaults(person);
  });

  test("the sign-in is without findings, says what was wrong, and leads to where one was going", async () => {
    for (const scheme of ["light", "dark"] as const) {
      await using person = await world().browser.person({ colorScheme: scheme });
      const { page } = person;
      await page.goto(`${world().url}/#/fleets/shop/vms`);
      await sees(page, "Token");
      expect(await accessibilityFindings(page), scheme).toEqual([]);
      await picture(page, `sign-in-${scheme}`);
      await page.getByLabel("Token").fill("token-of-nobody");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
      await page.getByLabel("Token").fill("token-ann");
      await page.keyboard.press("Enter");
      await sees(page, "web-12");
      expect(await page.evaluate("location.hash")).toBe("#/fleets/shop/vms");
      expect(await page.evaluate("document.cookie"), "the cookie is not for scripts").toBe("");
      expectNoFaults(person);
    }
  });
}

/** Titles of columns that do not fit into their place, and cells of tables in which a word has to be broken. */
const CUT_WORDS = `[
  ...[...document.querySelectorAll(".grid-head .cell")].filter((each) => each.scrollWidth > each.clientWidth),
  ...[...document.querySelectorAll("td")].filter((each) => each.offsetParent !== null && each.clientWidth < 200),
].map((each) => each.textContent)`;

async function show(page: Page, { hash, shows }: View): Promise<void> {
  await goes(page, hash);
  await sees(page, shows);
  // What was announced a moment ago is gone, and what is drawn anew is drawn.
  await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
}

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}
