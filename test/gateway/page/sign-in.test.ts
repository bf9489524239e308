/** Who comes in by the page, what a session is worth, and what other pages cannot do with it. Over real sockets. */

import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aServedGateway, type ServedGateway } from "../../support/a-served-gateway.ts";
import { expectValid } from "../../support/expect-valid.ts";
import { until } from "../../support/until.ts";

const JSON_TYPE = { "content-type": "application/json" };
let served: ServedGateway;
let run = "";

beforeAll(async () => {
  served = await aServedGateway({
    fleet: { ceiling: { auto: "none" } },
    prepare: (fleet) => fleet.vm("web-1"),
  });
  await until("a plan waits", async () => {
    run = (await served.ask("/v1/fleets/shop", "olga")).json.waiting?.run ?? "";
    return run !== "";
  });
}, 90_000);
afterAll(() => served?.[Symbol.asyncDispose]());

const post = (path: string, who: string | null, headers: Record<string, string> = {}, body = "{}") =>
  served.ask(path, who, { method: "POST", headers, body });
const postToken = (
  token: string,
  headers: Record<string, string> = { origin: served.url },
  who: string | null = null,
) => post("/v1/session", who, { ...JSON_TYPE, ...headers }, JSON.stringify({ token }));
const me = async (who: string | null) => await served.ask("/v1/me", who);

describe("a session", () => {
  test("is given for a token, as a cookie that no script reads, and says who it is", async () => {
    const signIn = await served.ask("/v1/sign-in");
    expectValid(signIn.json, "sign-in");
    expect(signIn.json).toMatchObject({ token: true, certificate: false, oidc: null });
    const opened = await postToken("token-olga");
    expect(opened.status).toBe(201);
    expectValid(opened.json, "me");
    expect(opened.json).toMatchObject({ name: "olga", role: "observe", by: "session" });
    const [cookie] = opened.headers.getSetCookie();
    expect(cookie).toMatch(/^odorobo-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    const { json } = await me(cookie!.split(";")[0]!);
    expectValid(json, "me");
    expect(json).toMatchObject({ name: "olga", role: "observe", by: "session", until: opened.json.until });
    expect((await me("ann")).json).toMatchObject({ name: "ann", by: "token", until: null });
  });

  test("by https it is given for https alone", async () => {
    await using behind = await aServedGateway({ config: { publicUrl: "https://odorobo.example" } });
    const headers = { ...JSON_TYPE, origin: "https://odorobo.example", host: "127.0.0.1" };
    const body = JSON.stringify({ token: "token-ann" });
    const { headers: given } = await behind.ask("/v1/session", null, { method: "POST", headers, body });
    expect(given.getSetCookie()[0]).toMatch(/^__Host-odorobo-session=.*; Secure$/);
    const cookie = given.getSetCookie()[0]!.split(";")[0]!;
    expect((await behind.ask("/v1/me", cookie)).json).toMatchObject({ name: "ann" });
    const change = (origin: string) =>
      behind.ask("/v1/runs/nothing/approve", cookie, { method: "POST", headers: { ...JSON_TYPE, origin }, body: "{}" });
    expect((await change("https://odorobo.example")).status).toBe(404);
    expect((await change("https://other.example")).status).toBe(403);
  });

  test("has an id of its own, whatever was brought along, and the one before ends", async () => {
    const brought = "odorobo-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const opened = await postToken("token-ann", { origin: served.url }, brought);
    const [first] = opened.headers.getSetCookie()[0]!.split(";");
    expect(first).not.toBe(brought);
    expect((await me(brought)).status).toBe(401);
    const again = await postToken("token-ann", { origin: served.url }, first!);
    const [second] = again.headers.getSetCookie()[0]!.split(";");
    expect((await me(first!)).status).toBe(401);
    expect((await me(second!)).json).toMatchObject({ name: "ann" });
  });

  test("ends when its owner signs out, when the token is revoked, and with the gateway; another role is another role", async () => {
    const [out, revoked, other] = [await served.signIn("ann"), await served.signIn("bob"), await served.signIn("olga")];
    const signedOut = await served.ask("/v1/session", out, { method: "DELETE", headers: { origin: served.url } });
    expectValid(signedOut.json, "signed-out");
    expect(signedOut.headers.getSetCookie().map((each) => /^[^=]*=; .*Max-Age=0/.test(each))).toEqual([true, true]);
    expect((await me(out)).status).toBe(401);
    await served.letIn({ ann: "apply", olga: "operate" });
    expect((await me(revoked)).status).toBe(401);
    expect((await me(other)).json).toMatchObject({ name: "olga", role: "operate" });
    await served.letIn({ ann: "apply", bob: "apply", olga: "observe" });
    // It was ended, and does not come back with the token.
    expect((await me(revoked)).status).toBe(401);
  });

  test("what is open ends with it, also of somebody who asks nothing more; and when the role is another, which leaves the session", async () => {
    await served.letIn({ ann: "apply", bob: "apply", olga: "operate" });
    const [revoked, other] = [await served.signIn("bob"), await served.signIn("olga")];
    const open = async (cookie: string) => {
      const { body } = await fetch(`${served.url}/v1/events`, { headers: { cookie } });
      const reader = body!.getReader();
      await reader.read();
      return async () => {
        while (!(await reader.read()).done);
      };
    };
    const ended = [await open(revoked), await open(other)];
    await served.letIn({ ann: "apply", olga: "observe" });
    // Their pages are left alone: nothing is asked with these cookies.
    await Promise.all(ended.map((each) => each()));
    expect((await me(other)).json).toMatchObject({ name: "olga", role: "observe" });
    expect((await me(revoked)).status).toBe(401);
    await served.letIn({ ann: "apply", bob: "apply", olga: "observe" });
  }, 60_000);

  test("a token that is shown beside it counts alone, right or wrong", async () => {
    const cookie = await served.signIn("ann");
    const both = (authorization: string) => served.ask("/v1/me", cookie, { headers: { authorization } });
    expect((await both("Bearer token-olga")).json).toMatchObject({ name: "olga", by: "token" });
    expect((await both("Bearer wrong")).status).toBe(401);
    expect((await me(cookie)).json).toMatchObject({ name: "ann" });
  });

  test("who guesses is slowed down as at every door", async () => {
    await using other = await aServedGateway();
    const statuses = new Set<number>();
    for (let guess = 0; guess < 40; guess++) {
      const headers = { ...JSON_TYPE, origin: other.url };
      const body = JSON.stringify({ token: `guess-${guess}` });
      statuses.add((await other.ask("/v1/session", null, { method: "POST", headers, body })).status);
    }
    expect([...statuses]).toEqual([401, 429]);
  });

  test.each([
    ["no JSON", "token", JSON_TYPE, 400],
    ["no token", '{"token": 7}', JSON_TYPE, 400],
    ["nothing", "", JSON_TYPE, 400],
    ["a form", "token=token-ann", { "content-type": "application/x-www-form-urlencoded" }, 400],
    ["too much", JSON.stringify({ token: "x".repeat(20_000) }), JSON_TYPE, 413],
  ])("of %s there is none", async (_, body, headers, status) => {
    const answer = await post("/v1/session", null, { ...headers, origin: served.url }, body);
    expect(answer.status).toBe(status);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });
});

describe("other pages", () => {
  test("change nothing with somebody's session, whatever they send", async () => {
    const cookie = await served.signIn("ann");
    const approve = `/v1/runs/${run}/approve`;
    const elsewhere = [
      { ...JSON_TYPE, origin: "https://evil.example" },
      { ...JSON_TYPE, origin: "null" },
      { ...JSON_TYPE, origin: served.url.replace("http:", "https:") },
      JSON_TYPE,
      { origin: served.url, "content-type": "text/plain" },
      { origin: served.url },
    ];
    for (const headers of elsewhere) {
      const { status, json } = await post(approve, cookie, headers);
      expect([status, json.code], JSON.stringify(headers)).toEqual([403, "FORBIDDEN"]);
    }
    for (const headers of [{ origin: "https://evil.example" }, {}])
      expect((await served.ask("/v1/session", cookie, { method: "DELETE", headers })).status).toBe(403);
    expect((await postToken("token-bob", { origin: "https://evil.example" })).status).toBe(403);
    expect((await served.ask("/v1/fleets/shop", "olga")).json.waiting.run).toBe(run);
    expect((await me(cookie)).status).toBe(200);
  });

  test("that have their own name for this machine are strangers here", async () => {
    const { port } = new URL(served.url);
    const rebound = { host: `evil.example:${port}`, origin: `http://evil.example:${port}`, ...JSON_TYPE };
    expect(await rawStatus(served.url, "/v1/session", rebound, '{"token":"token-ann"}')).toBe(403);
    const local = { host: `localhost:${port}`, origin: `http://localhost:${port}`, ...JSON_TYPE };
    expect(await rawStatus(served.url, "/v1/session", local, '{"token":"token-ann"}')).toBe(201);
  });
});

describe("what a role may not", () => {
  test("who observes is told so by name; who may says yes, once, and the other is told who was first", async () => {
    const [olga, ann, bob] = [await served.signIn("olga"), await served.signIn("ann"), await served.signIn("bob")];
    const own = { ...JSON_TYPE, origin: served.url };
    const refused = await post(`/v1/runs/${run}/refuse`, olga, own);
    expect(refused.json).toMatchObject({ code: "FORBIDDEN", message: "olga has the role observe; this needs apply" });
    const both = await Promise.all([
      post(`/v1/runs/${run}/approve`, ann, own),
      post(`/v1/runs/${run}/refuse`, bob, own, '{"reason":"not today"}'),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const [loser, winner] = both[0]!.status === 409 ? [both[0]!, "bob"] : [both[1]!, "ann"];
    expect(JSON.stringify(loser.json)).toContain(winner);
  });
});

/** With a Host header, which `fetch` does not let one say. */
function rawStatus(url: string, path: string, headers: Record<string, string>, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url + path, { method: "POST", headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
