/**
 * One Chromium for all stories of a file. Whatever a page does that it must not is a fault of the test in which it happens: something
 * against its Content-Security-Policy, a request to anybody else, a mistake in its console.
 */

import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

export interface ABrowser extends AsyncDisposable {
  readonly browser: Browser;
  /** Of its own person: cookies are shared with no other. */
  person(options?: BrowserContextOptions): Promise<APerson>;
}

export interface APerson extends AsyncDisposable {
  readonly page: Page;
  /** What it did that it must not, so far. */
  readonly faults: readonly string[];
  /** What is about to happen is meant to fail: mistakes of the network are none meanwhile. */
  mayBeCutOff(): void;
  /** What it looks at has no serial line. */
  hasNoConsole(): void;
}

export async function aBrowser(): Promise<ABrowser> {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    // Tests run as root in containers, where Chromium has no sandbox; what it opens is ours.
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
  });
  return {
    browser,
    person: (options) => aPerson(browser, options),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

async function aPerson(browser: Browser, options: BrowserContextOptions = {}): Promise<APerson> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  let isCutOff = false;
  let hasNoConsole = false;
  await page.addInitScript({
    content: `addEventListener("securitypolicyviolation", (e) =>
      console.error("CSP: " + e.violatedDirective + " forbids " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber))`,
  });
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const text = message.text();
    // The browser's own word for an answer that is no 2xx, or none: pages are asked to deal with these.
    if (/^Failed to load resource/.test(text) && (isCutOff || / 40[134] | 409 | 410 | 422 /.test(text))) return;
    if (isCutOff && /WebSocket connection/.test(text)) return;
    if (hasNoConsole && /WebSocket connection.* response code: 422/.test(text)) return;
    faults.push(`console: ${text}`);
  });
  page.on("pageerror", (error) => faults.push(`thrown: ${error.stack ?? error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol === "data:" || url.protocol === "blob:") return;
    const own = page.url() === "about:blank" ? url.host : new URL(page.url()).host;
    if (url.host !== own) faults.push(`asked ${url.host}`);
  });
  return {
    page,
    faults,
    mayBeCutOff() {
      isCutOff = true;
    },
    hasNoConsole() {
      hasNoConsole = true;
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}

const AXE_OPTIONS = {
  resultTypes: ["violations"],
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
};

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** What the accessibility checker finds in what is shown, a line each. It is evaluated, not added as a script: the policy stays as it is. */
export async function accessibilityFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(`axe.run(document, ${JSON.stringify(AXE_OPTIONS)})`)) as AxeResult;
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html.slice(0, 300)} ${failureSummary ?? ""}`),
  );
}
