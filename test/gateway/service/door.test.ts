/** The gateway's door: who may look, who may say what is done, and what is answered. Over real sockets, with a fleet that waits. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../../../src/gateway/service/gateway.ts";
import type { FleetConfig } from "../../../src/gateway/service/gateway-config.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { parseListenAddress } from "../../../src/platform/http/listen-address.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import type { GatewayFleet } from "../../../src/report/gateway/gateway-documents.ts";
import { FileRunStore } from "../../../src/run-store/file-run-store.ts";
import { aLiveFleet, type LiveFleet } from "../../support/a-live-fleet.ts";
import { commitFiles, git } from "../../support/a-repository.ts";
import { expectValid } from "../../support/expect-valid.ts";
import { odorobo } from "../../support/run-odorobo.ts";
import { until } from "../../support/until.ts";

const TOKEN = "let-me-in";
const opened = new AsyncDisposableStack();
let fleet: LiveFleet;
let gateway: RunningGateway;

const entry = (name: string, url: string): FleetConfig => ({
  name,
  repository: { url, ref: "main", path: null },
  intervalMs: 3_600_000,
  requireSigned: null,
  allowRewind: false,
  ceiling: { auto: "none" },
  forge: { kind: "github", api: null, hookSecretFile: join(fleet.scratch, "hook.secret"), pullRequests: false },
  notify: [],
  agents: {},
});

const open = async (data: string, listen: string, tokenFile: string | null, fleets: readonly FleetConfig[]) =>
  await startGateway(
    {
      listen: parseListenAddress(listen),
      dataFolder: data,
      publicUrl: null,
      door: { tokenFile, accessFile: null, tls: null },
      fleets,
    },
    { runs: new FileRunStore(data), clock: systemClock, log: silentLogger, hardSignal: new AbortController().signal },
  );

const ask = (path: string, init: RequestInit & { token?: string } = {}) =>
  fetch(gateway.url + path, {
    ...init,
    headers: { ...init.headers, ...(init.token === undefined ? {} : { authorization: `Bearer ${init.token}` }) },
  });
const look = async <Document>(path: string): Promise<Document> =>
  (await (await ask(path, { token: TOKEN })).json()) as Document;

beforeAll(async () => {
  fleet = opened.use(await aLiveFleet("n1"));
  await fleet.vm("web-1");
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  await commitFiles(fleet.folder, {});
  for (const [name, text] of [
    ["token", TOKEN],
    ["hook.secret", "sssh"],
  ] as const) {
    await writeFile(join(fleet.scratch, name), `${text}\n`);
    await chmod(join(fleet.scratch, name), 0o600);
  }
  const tokenFile = join(fleet.scratch, "token");
  gateway = opened.use(
    await open(join(fleet.scratch, "gateway"), "127.0.0.1:0", tokenFile, [entry("shop", fleet.folder)]),
  );
}, 60_000);
afterAll(() => opened.disposeAsync());

test("who shows no token learns that it lives, and nothing else", async () => {
  expect(await (await ask("/healthz")).text()).toBe("alive\n");
  const ready = await ask("/readyz");
  expect([200, 503]).toContain(ready.status);
  for (const path of ["/v1/fleets", "/v1/runs", "/metrics", "/v1/events", "/nowhere"])
    expect((await ask(path)).status, path).toBe(401);
  expect((await ask("/v1/runs/x/approve", { method: "POST" })).status).toBe(401);
});

test("a plan beyond the ceiling waits as a run, is approved over HTTP by name, and done", {
  timeout: 90_000,
}, async () => {
  let document: GatewayFleet | null = null;
  await until("it waits", async () => {
    document = await look<GatewayFleet>("/v1/fleets/shop");
    return document.waiting?.run != null;
  });
  const { waiting, latest, isReady } = document! as GatewayFleet;
  expectValid(document, "gateway-fleet");
  expectValid(await look("/v1/fleets"), "gateway-fleet-list");
  expect(isReady).toBe(true);
  expect(latest?.heldBelow).toContain("held below the gateway's ceiling");
  expect(waiting?.changes).toMatchObject([{ name: "web-1", action: "create" }]);
  expect((await ask("/readyz")).status).toBe(200);

  const run = `/v1/runs/${waiting!.run}`;
  expectValid(await look("/v1/runs"), "run-list");
  expectValid(await look(run), "run");
  expect(await look(`${run}/plan`)).toMatchObject({ id: waiting!.plan });
  expect(await (await ask(`${run}/approve`, { method: "POST", token: TOKEN, body: "[]" })).json()).toMatchObject({
    code: "BAD_REQUEST",
  });
  const tooLong = JSON.stringify({ reason: "x".repeat(20_000) });
  expect((await ask(`${run}/refuse`, { method: "POST", token: TOKEN, body: tooLong })).status).toBe(413);
  const page = await ask(`${run}/approve`, {
    method: "POST",
    token: TOKEN,
    headers: { origin: "https://evil.example" },
  });
  expect(page.status).toBe(403);

  const given = await odorobo(
    ...["runs", "approve", "--gateway", gateway.url, "--token-file", join(fleet.scratch, "token"), "--json"],
  );
  expect(JSON.parse(given.stdout)).toMatchObject({
    id: waiting!.run,
    approvedBy: expect.stringContaining("token file"),
  });
  await until(
    "it is applied",
    async () => (await look<GatewayFleet>("/v1/fleets/shop")).latest?.standing === "applied",
  );
  const again = await ask(`${run}/approve`, { method: "POST", token: TOKEN });
  expect(again.status).toBe(409);

  const attached = await odorobo(
    ...["runs", "attach", waiting!.run!, "--gateway", gateway.url, "--token-file", join(fleet.scratch, "token")],
  );
  expect(attached).toMatchObject({ code: 0, stdout: expect.stringContaining("done") });
  const shown = await odorobo(
    "gateway",
    "status",
    "--gateway",
    gateway.url,
    "--token-file",
    join(fleet.scratch, "token"),
  );
  expect(shown.stdout).toMatch(/shop +\w{12} +\w{12} +applied/);
  const metrics = await (await ask("/metrics", { token: TOKEN })).text();
  expect(metrics).toContain('odorobo_gateway_revisions{fleet="shop",standing="applied"} 1');
});

test("events are streamed, and who comes back is told what it missed", async () => {
  const read = async (headers: Record<string, string>, count: number) => {
    const answer = await ask("/v1/events", { token: TOKEN, headers });
    const events: { id: string; event: string }[] = [];
    let text = "";
    for await (const chunk of answer.body!) {
      text += Buffer.from(chunk).toString();
      const blocks = text.split("\n\n");
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data !== undefined) events.push(JSON.parse(data) as { id: string; event: string });
      }
      text = blocks.at(-1)!;
      if (events.length >= count) break;
    }
    return events;
  };
  const [reset] = await read({ "last-event-id": "another-life" }, 1);
  expect(reset).toMatchObject({ kind: "GatewayReset" });
  const [life, number] = reset!.id.split("-") as [string, string];
  const missed = await read({ "last-event-id": `${life}-0` }, Number(number));
  expect(missed.length).toBeGreaterThan(4);
  for (const event of missed) expectValid(event, "gateway-event");
  expect(missed.map(({ event }) => event)).toEqual(
    expect.arrayContaining(["revision", "asked", "run", "step", "run-ended"]),
  );
});

test("a hook of the fleet makes it look; what is not signed does not", { timeout: 60_000 }, async () => {
  const { createHmac } = await import("node:crypto");
  await fleet.vm("web-2");
  const commit = await commitFiles(fleet.folder, {});
  const body = JSON.stringify({ ref: "refs/heads/main", before: "0".repeat(40), after: commit, repository: {} });
  const post = (signature: string) =>
    ask("/v1/hooks/shop", {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": "1",
        "x-hub-signature-256": `sha256=${signature}`,
      },
    });
  expect((await post("0".repeat(64))).status).toBeGreaterThanOrEqual(400);
  expect((await post(createHmac("sha256", "sssh").update(body).digest("hex"))).status).toBe(202);
  await until("the push is seen", async () => (await look<GatewayFleet>("/v1/fleets/shop")).latest?.commit === commit);
});

test("on loopback without a token whoever is here may look and change nothing; on a socket who may open it may do all", async () => {
  await using bare = await open(join(fleet.scratch, "bare"), "127.0.0.1:0", null, []);
  expect((await fetch(`${bare.url}/v1/fleets`)).status).toBe(200);
  const answer = await fetch(`${bare.url}/v1/runs/x/approve`, { method: "POST" });
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({ code: "FORBIDDEN", hint: expect.stringContaining("token") });
  const socket = join(fleet.scratch, "g.sock");
  await using _local = await open(join(fleet.scratch, "local"), `unix://${socket}`, null, []);
  const told = await odorobo("runs", "refuse", "nothing", "--gateway", `unix://${socket}`);
  expect(told).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no run nothing") });
});

test("two gateways, a taken port, strangers, and a folder that cannot be written are told", async () => {
  const data = join(fleet.scratch, "gateway");
  await expect(open(data, "127.0.0.1:0", null, [])).rejects.toMatchObject({
    code: "DATA_FOLDER_IN_USE",
    message: expect.stringMatching(/another gateway, process \d+, uses the data folder/),
  });
  const port = new URL(gateway.url).port;
  await expect(open(join(fleet.scratch, "other"), `127.0.0.1:${port}`, null, [])).rejects.toMatchObject({
    code: "ADDRESS_IN_USE",
  });
  await expect(open(join(fleet.scratch, "other"), "0.0.0.0:0", null, [])).rejects.toMatchObject({
    code: "AGENT_INSECURE",
  });
  await writeFile(join(fleet.scratch, "file"), "");
  await expect(open(join(fleet.scratch, "file", "data"), "127.0.0.1:0", null, [])).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
  });
});

test("addresses and methods that are none are told of", async () => {
  expect(await (await ask("/v1/nothing", { token: TOKEN })).json()).toMatchObject({ code: "NOT_FOUND" });
  expect(await (await ask("/v1/fleets/lab", { token: TOKEN })).json()).toMatchObject({
    code: "NOT_FOUND",
    hint: "it has: shop",
  });
  const wrong = await ask("/v1/fleets", { method: "DELETE", token: TOKEN });
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET"]);
  expect(await (await ask("/v1/runs/%zz", { token: TOKEN })).json()).toMatchObject({ code: "BAD_REQUEST" });
});
