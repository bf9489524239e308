/** A fleet of noop guests, a gateway as it is installed, and browsers that look at it. */
import { createHash } from "node:crypto";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { Role } from "../../src/model/role.ts";
import type { GatewayFleet } from "../../src/report/gateway/gateway-documents.ts";
import type { RunList } from "../../src/report/run-document.ts";
import { type AGateway, aGateway } from "../support/a-gateway.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { commitFiles, git } from "../support/a-repository.ts";
import { type AForge, aForge } from "../support/forge/a-forge.ts";
import { until } from "../support/until.ts";
import { type ABrowser, type APerson, aBrowser } from "./a-browser.ts";

export interface PageWorld extends AsyncDisposable {
  readonly fleet: LiveFleet;
  readonly gateway: AGateway;
  readonly url: string;
  readonly browser: ABrowser;
  /** Commits what the folder says now. `message`: its subject. */
  push(message?: string): Promise<string>;
  /** Writes the access file anew. The token of a person is `token-NAME`. */
  letIn(people: Readonly<Record<string, Role>>): Promise<void>;
  /** In a window of their own, signed in. */
  signedIn(name: string, options?: SignedInOptions): Promise<APerson>;
  document(): Promise<GatewayFleet>;
  /** Latest first. */
  runs(): Promise<RunList["runs"]>;
  /** Resolves with the run that waits for an answer to that commit. */
  waits(commit: string): Promise<string>;
  /** Resolves when the latest revision is carried out. */
  settles(): Promise<void>;
}

export interface SignedInOptions {
  readonly url?: string;
  /** Where to, such as `#/runs`. */
  readonly at?: string;
  readonly scheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

export const PEOPLE: Readonly<Record<string, Role>> = { ann: "apply", bob: "apply", olga: "observe", omar: "operate" };

export async function aPageWorld(prepare: (fleet: LiveFleet) => Promise<void>): Promise<PageWorld> {
  await using opened = new AsyncDisposableStack();
  const fleet = opened.use(await aLiveFleet("n1", "n2", "n3"));
  await prepare(fleet);
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  await commitFiles(fleet.folder, {});
  const accessFile = join(fleet.scratch, "people");
  const letIn = async (people: Readonly<Record<string, Role>>) => {
    const lines = Object.entries(people).map(
      ([name, role]) => `${name} ${role} sha256:${createHash("sha256").update(`token-${name}`).digest("hex")}\n`,
    );
    await writeFile(accessFile, lines.join(""));
    await chmod(accessFile, 0o600);
  };
  await letIn(PEOPLE);
  const forge = opened.use(await aForge("forgejo"));
  const file = join(fleet.scratch, "gateway.yaml");
  await writeFile(file, gatewayYaml(fleet, forge));
  const gateway = opened.use(aGateway("--config", file));
  const url = await gateway.url();
  const browser = opened.use(await aBrowser());
  const read = async <Document>(path: string): Promise<Document> => {
    const headers = { authorization: "Bearer token-olga" };
    return (await (await fetch(url + path, { headers })).json()) as Document;
  };
  const document = () => read<GatewayFleet>("/v1/fleets/shop");
  const owned = opened.move();
  return {
    fleet,
    gateway,
    url,
    browser,
    letIn,
    document,
    runs: async () => (await read<RunList>("/v1/runs")).runs,
    async push(message = "a commit") {
      await git(fleet.folder, "add", "--all");
      await git(fleet.folder, "commit", "--quiet", "--allow-empty", "--message", message);
      return await git(fleet.folder, "rev-parse", "HEAD");
    },
    async signedIn(name, { url: at = url, at: hash = "#/", scheme = "light", width = 1280, height = 800 } = {}) {
      const person = await browser.person({ colorScheme: scheme, viewport: { width, height } });
      await person.page.goto(`${at}/${hash}`);
      await person.page.getByLabel("Token").fill(`token-${name}`);
      await person.page.getByRole("button", { name: "Sign in", exact: true }).click();
      await isLive(person.page);
      return person;
    },
    async waits(commit) {
      let run: string | null = null;
      await until(
        "it waits for an answer",
        async () => {
          const { waiting, latest } = await document();
          run = latest?.commit === commit && waiting?.revision === latest.id ? waiting.run : null;
          return run !== null;
        },
        90_000,
      );
      return run as unknown as string;
    },
    settles: () =>
      until(
        "it is applied",
        async () => {
          const { latest, run } = await document();
          return run === null && (latest?.standing === "applied" || latest?.standing === "unchanged");
        },
        90_000,
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function isLive(page: Page): Promise<void> {
  try {
    await page.locator(".connection", { hasText: "live" }).waitFor({ state: "attached", timeout: 60_000 });
  } catch {
    throw new Error(`it is not live: ${await page.locator("body").textContent()}`);
  }
}

/** It asks for what disturbs guests. */
const gatewayYaml = ({ folder, scratch }: LiveFleet, forge: AForge): string => `kind: Gateway
data: ${join(scratch, "gateway")}
accessFile: people
fleets:
  - name: shop
    repository: { url: ${folder}, ref: main }
    interval: 1s
    ceiling: { auto: live, healDrift: report }
    forge: { kind: forgejo, url: "${forge.url}", repository: ${forge.config.repository}, tokenFile: ${forge.config.tokenFile} }
`;
