/** Signing in by a provider: a real one, in this process, over real sockets. */

import { chmod, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nameOf, roleOf } from "../../../src/gateway/service/oidc/roles-of.ts";
import { aServedGateway, type ServedGateway } from "../../support/a-served-gateway.ts";
import { anIdentityProvider, Browser, type IdentityProvider } from "../../support/an-identity-provider.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const opened = new AsyncDisposableStack();
let provider: IdentityProvider;
let served: ServedGateway;

/** Where the gateway will listen has to be known before: the provider is told of it. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  const publicUrl = `http://127.0.0.1:${await freePort()}`;
  const groups = { ann: ["people", "vm-admins"], olga: ["people"], eve: ["visitors"] };
  provider = opened.use(await anIdentityProvider(groups, () => `${publicUrl}/v1/session/oidc/callback`));
  const scratch = opened.use(await aTempFolder());
  const clientSecretFile = join(scratch.path, "secret");
  await writeFile(clientSecretFile, `${provider.clientSecret}\n`);
  await chmod(clientSecretFile, 0o600);
  const { issuer, clientId } = provider;
  served = opened.use(
    await aServedGateway({
      config: {
        publicUrl,
        listen: { kind: "tcp", host: "127.0.0.1", port: Number(new URL(publicUrl).port) },
        door: { tokenFile: null, accessFile: null, tls: null },
        signIn: {
          sessionMs: 3_600_000,
          oidc: {
            ...{ issuer, clientId, clientSecretFile, name: "the house" },
            ...{ scopes: ["openid", "profile", "groups"], rolesClaim: "groups" },
            roles: { people: "observe", "vm-admins": "apply" },
          },
        },
      },
    }),
  );
}, 60_000);
afterAll(() => opened.disposeAsync());

const start = () => `${served.url}/v1/session/oidc`;
const meOf = async (browser: Browser) => {
  const { text, status } = await browser.open(`${served.url}/v1/me`);
  return { status, ...JSON.parse(text) };
};

test("who the provider knows comes in with the role of their groups, and signs out there, too", async () => {
  expect((await served.ask("/v1/sign-in")).json).toMatchObject({
    token: false,
    oidc: { start: "/v1/session/oidc", name: "the house" },
  });
  // Nobody else is let in: not even those on this machine, who otherwise may look.
  expect((await served.ask("/v1/fleets")).status).toBe(401);
  const browser = new Browser();
  const home = await browser.signIn(start(), "ann");
  expect(home.url.href).toBe(`${served.url}/`);
  expect(await meOf(browser)).toMatchObject({ name: "oidc:ann", role: "apply", by: "oidc" });
  const other = new Browser();
  await other.signIn(start(), "olga");
  expect(await meOf(other)).toMatchObject({ name: "oidc:olga", role: "observe", by: "oidc" });

  const cookie = [...browser.cookiesOf(new URL(served.url))].map(([name, value]) => `${name}=${value}`).join("; ");
  const out = await served.ask("/v1/session", cookie, { method: "DELETE", headers: { origin: served.url } });
  expect(out.json.next).toMatch(new RegExp(`^${provider.issuer}/session/end\\?`));
  expect(new URL(out.json.next).searchParams.get("post_logout_redirect_uri")).toBe(`${served.url}/`);
  expect((await meOf(browser)).status).toBe(401);
});

test("who has no role may not enter, and is told which claim says so", async () => {
  const browser = new Browser();
  const end = await browser.signIn(start(), "eve");
  expect(end.status).toBe(403);
  expect(end.text).toContain("the house knows you as eve, and you have no role here");
  expect(end.text).toContain("by groups");
  expect((await meOf(browser)).status).toBe(401);
});

test("a code signs in the browser that began, once, and nobody whom it was slipped to", async () => {
  const ann = new Browser();
  const isBack = (to: URL) => to.pathname === "/v1/session/oidc/callback";
  const { location } = await ann.signIn(start(), "ann", isBack);
  const victim = new Browser();
  expect(await victim.open(location!.href)).toMatchObject({ status: 400 });
  await victim.open(start(), { goes: () => false });
  expect(await victim.open(location!.href)).toMatchObject({ status: 403 });
  expect((await meOf(victim)).status).toBe(401);
  const changed = new URL(location!.href);
  changed.searchParams.set("state", "another");
  const errand = new Map(ann.cookiesOf(location!));
  expect((await ann.open(changed.href)).status).toBe(403);
  // It was used up by that.
  for (const [name, value] of errand) ann.cookiesOf(location!).set(name, value);
  expect((await ann.open(location!.href)).status).toBe(400);
});

test("a provider's refusal is told in its words, harmless; one that is away is told as that", async () => {
  const browser = new Browser();
  await browser.open(start(), { goes: () => false });
  const query = new URLSearchParams({ error: "access_denied", error_description: "<img src=x onerror=alert(1)>" });
  const end = await browser.open(`${start()}/callback?${query}`);
  expect(end.status).toBe(403);
  expect(end.text).toContain("&lt;img src=x onerror=alert(1)&gt;");
  await using away = await aServedGateway({
    config: {
      publicUrl: "https://odorobo.example",
      signIn: {
        sessionMs: 1_000,
        oidc: {
          ...{ issuer: "http://127.0.0.1:9", clientId: "x", clientSecretFile: null, name: "nobody" },
          ...{ scopes: ["openid"], rolesClaim: "groups", roles: { a: "observe" } },
        },
      },
    },
  });
  const answer = await away.ask("/v1/session/oidc");
  expect([answer.status, answer.text]).toEqual([503, expect.stringContaining("nobody cannot be asked")]);
});

test("roles and names are read from claims of many shapes", () => {
  const roles = { ops: "apply", all: "observe", root: "admin" } as const;
  expect(roleOf({ groups: ["all", "ops"] }, "groups", roles)).toBe("apply");
  expect(roleOf({ groups: "all" }, "groups", roles)).toBe("observe");
  expect(roleOf({ realm_access: { roles: ["root"] } }, "realm_access.roles", roles)).toBe("admin");
  expect(roleOf({ "https://x.example/roles": ["all"] }, "https://x.example/roles", roles)).toBe("observe");
  for (const groups of [[], null, 7, ["toString", "__proto__"], [["ops"]], { ops: true }])
    expect(roleOf({ groups }, "groups", roles)).toBeNull();
  expect(roleOf({}, "constructor.name", { Object: "admin" })).toBeNull();
  expect(nameOf({ preferred_username: "ann", sub: "1" })).toBe("oidc:ann");
  expect(nameOf({ email: "a n\n@x", sub: "1" })).toBe("oidc:a_n_@x");
  expect(nameOf({ sub: "1".repeat(200) })).toHaveLength(68);
});
