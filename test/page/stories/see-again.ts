/** Waits that say what did not come. */
import type { Page } from "playwright-core";
import { expect } from "vitest";
import type { APerson } from "../a-browser.ts";

/** On a machine that is busy with other tests. */
export const PATIENCE_MS = 60_000;

export async function sees(page: Page, text: string | RegExp, patience = PATIENCE_MS): Promise<void> {
  try {
    await page.getByText(text).first().waitFor({ timeout: patience });
  } catch {
    throw new Error(`${String(text)} is not to be seen; what is: ${await page.locator("body").textContent()}`);
  }
}

export async function goes(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
}

export const expectNoFaults = ({ faults }: APerson): void => expect(faults).toEqual([]);

/** Of the page of a run. */
export async function isDone(page: Page): Promise<void> {
  try {
    await page.locator(".head .state", { hasText: "done" }).waitFor({ timeout: PATIENCE_MS });
  } catch {
    throw new Error(`the run is not done: ${await page.locator("main").textContent()}`);
  }
}
