import { chmod, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { openTokenFile } from "../../../src/platform/http/door/token-file.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

/** fetch sets Host and Origin itself; a page's browser sends what it must. */
function ask(
  url: string,
  headers: Record<string, string>,
  method = "GET",
): Promise<{ status: number; body: string; challenge: string | undefined }> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/v1/health`, { method, headers, agent: false }, async (answer) => {
      let body = "";
      for await (const chunk of answer) body += chunk;
      resolve({ status: answer.statusCode ?? 0, body, challenge: answer.headers["www-authenticate"] });
    });
    asked.on("error", reject);
    asked.end();
  });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test("on loopback without a token, loopback names are served and rebound names are not", async () => {
  await using agent = await socketAgent();
  for (const host of ["127.0.0.1:8890", "localhost", "LOCALHOST:1", "[::1]:8890", "127.9.9.9"]) {
    expect([host, (await ask(agent.url, { host })).status]).toEqual([host, 200]);
  }
  for (const host of ["evil.example:8890", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"]) {
    const answer = await ask(agent.url, { host });
    expect([host, answer.status]).toEqual([host, 403]);
    expect(answer.body).toContain("FORBIDDEN");
  }
});

test("a web page may neither change anything nor open a console", async () => {
  await using agent = await socketAgent();
  const origin = "http://localhost:3000";
  expect((await ask(agent.url, { origin })).status).toBe(200);
  expect((await ask(agent.url, { origin }, "POST")).status).toBe(403);
  expect(await upgradeStatus(agent, { origin })).toBe(403);
});

test("with a token only its bearer is served, whatever the host is called", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "token");
  await writeFile(path, "s3cret\n", { mode: 0o600 });
  await using agent = await socketAgent({ token: await openTokenFile(path) });
  expect(await ask(agent.url, {})).toMatchObject({ status: 401, challenge: "Bearer" });
  for (const headers of [bearer("s3cre"), bearer("s3cret2"), bearer(""), { authorization: "Basic s3cret" }]) {
    expect((await ask(agent.url, headers)).status).toBe(401);
  }
  expect((await ask(agent.url, { ...bearer("s3cret"), host: "n1.example" })).status).toBe(200);
  expect(await upgradeStatus(agent, {})).toBe(401);
  expect(await upgradeStatus(agent, bearer("s3cret"))).toBe(404);
});

test("a changed token is in force at once; a file that went bad lets nobody in and says so in the log only", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "token");
  await writeFile(path, "old", { mode: 0o600 });
  await using agent = await socketAgent({ token: await openTokenFile(path) });
  expect((await ask(agent.url, bearer("old"))).status).toBe(200);
  await writeFile(path, "brand-new");
  expect((await ask(agent.url, bearer("old"))).status).toBe(401);
  expect((await ask(agent.url, bearer("brand-new"))).status).toBe(200);
  await chmod(path, 0o644);
  const answer = await ask(agent.url, bearer("brand-new"));
  expect(answer.status).toBe(500);
  expect(answer.body).not.toContain(folder.path);
  expect(agent.logged.at(-1)).toMatchObject({ level: "error", message: "nobody is let in" });
  // Said once, not to each who knocks.
  const before = agent.logged.length;
  expect((await ask(agent.url, bearer("brand-new"))).status).toBe(500);
  expect(agent.logged).toHaveLength(before);
  await rm(path);
  expect((await ask(agent.url, bearer("brand-new"))).status).toBe(500);
});

test.each([
  ["missing", async () => {}, /cannot read/],
  ["empty", (path: string) => writeFile(path, " \n", { mode: 0o600 }), /is empty/],
  ["of two words", (path: string) => writeFile(path, "a b", { mode: 0o600 }), /more than one word/],
  ["readable by everybody", (path: string) => writeFile(path, "a", { mode: 0o644 }), /everybody on this machine/],
])("a token file that is %s is refused at the start", async (_, make, message) => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "token");
  await make(path);
  await expect(openTokenFile(path)).rejects.toMatchObject({
    code: "AGENT_INSECURE",
    message: expect.stringMatching(message),
  });
});

function upgradeStatus(agent: TestAgent, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${agent.url.replace("http", "ws")}/v1/vms/web-1/console`, { headers });
    socket.once("unexpected-response", (_, answer) => {
      answer.resume();
      socket.terminate();
      resolve(answer.statusCode ?? 0);
    });
    socket.once("open", () => reject(new Error("it was opened")));
    socket.on("error", () => {});
  });
}
