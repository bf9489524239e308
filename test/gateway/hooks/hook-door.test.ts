/** The door over real sockets: who is answered what, when, and what reaches the gateway. */

import { execFile } from "node:child_process";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { request as ask, createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import {
  type HookFleet,
  type HookLimits,
  type HookOutcome,
  hookHandler,
} from "../../../src/gateway/hooks/hook-door.ts";
import type { HookEvent } from "../../../src/gateway/hooks/hook-event.ts";
import { openHookSecrets } from "../../../src/gateway/hooks/hook-secrets.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { COMMIT_B, pushHook, type SentHook, sendBytes, sendHook } from "../../support/a-hook.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const SECRET = "correct-horse-battery";
const MAIN = pushHook("github", "refs/heads/main", COMMIT_B, { secret: SECRET });

interface Door extends AsyncDisposable {
  readonly port: number;
  readonly events: HookEvent[];
  readonly outcomes: (readonly [string | null, HookOutcome])[];
  post(hook: SentHook, path?: string): Promise<{ status: number; body: Record<string, string>; tookMs: number }>;
}

async function aDoor(limits: Partial<HookLimits> = {}, fleet: Partial<HookFleet> = {}): Promise<Door> {
  const events: HookEvent[] = [];
  const outcomes: Door["outcomes"] = [];
  const shop: HookFleet = {
    kind: "github",
    secrets: { read: async () => [SECRET] },
    onEvent: (event) => void events.push(event),
    ...fleet,
  };
  const handle = hookHandler((name) => (name === "shop" ? shop : null), {
    clock: systemClock,
    log: silentLogger,
    counted: (...told) => void outcomes.push(told),
    limits: { refusalMs: 40, ...limits },
  });
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    events,
    outcomes,
    post: (hook, path = "/v1/hooks/shop") => post(port, hook, path),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const post: (port: number, hook: SentHook, path: string) => ReturnType<Door["post"]> = (
  port,
  { headers, body },
  path,
) =>
  new Promise((resolve, reject) => {
    const begun = performance.now();
    const length = { "content-length": body.length };
    const asked = ask(
      { port, path, method: "POST", headers: { ...headers, ...length }, agent: false },
      async (answer) => {
        try {
          const chunks = await answer.toArray();
          const text = Buffer.concat(chunks).toString();
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text), tookMs: performance.now() - begun });
        } catch (error) {
          reject(error);
        }
      },
    );
    asked.on("error", reject).end(body);
  });

test("a signed push is answered 202 before its event is worked on; what is nobody's here too", async () => {
  const order: string[] = [];
  await using door = await aDoor({}, { onEvent: ({ kind }) => void order.push(kind) });
  expect(await door.post(MAIN)).toMatchObject({ status: 202, body: { outcome: "accepted" } });
  const other = sendHook("github", "star", { action: "created" }, { secret: SECRET });
  expect(await door.post(other)).toMatchObject({ status: 202, body: { outcome: "not ours" } });
  expect(order).toEqual(["push", "other"]);
});

test("a replay is answered 202, as forges stop sending to who says no, and told to nobody", async () => {
  await using door = await aDoor();
  await door.post(MAIN);
  expect(await door.post(MAIN)).toMatchObject({ status: 202, body: { outcome: "replayed" } });
  expect(door.events).toHaveLength(1);
  expect(door.outcomes).toEqual([
    ["shop", "accepted"],
    ["shop", "replayed"],
  ]);
});

test("no fleet of that name, no signature and a wrong one are answered alike, and none before its time", async () => {
  await using door = await aDoor({ refusalMs: 60 });
  const unsigned = pushHook("github", "refs/heads/main", COMMIT_B, { secret: null });
  const wrong = pushHook("github", "refs/heads/main", COMMIT_B, { secret: "another" });
  const answers = await Promise.all([
    door.post(unsigned),
    door.post(wrong),
    door.post(MAIN, "/v1/hooks/no-such"),
    door.post(MAIN, "/v1/hooks/"),
    door.post(MAIN, "/v1/hooks/..%2fshop"),
    door.post(MAIN, "/v1/hooks/constructor"),
  ]);
  for (const { status, body, tookMs } of answers) {
    expect([status, body]).toEqual([401, answers[0]?.body]);
    // Timers of the runtime may be early by less than a millisecond.
    expect(tookMs).toBeGreaterThan(58);
  }
  expect(door.events).toEqual([]);
  expect(door.outcomes.filter(([fleet]) => fleet === "shop").map(([, outcome]) => outcome)).toEqual([
    "signature",
    "signature",
  ]);
});

test("without a secret that can be read nothing is taken", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "secret");
  await writeFile(path, "new-one\n  correct-horse-battery  \n", { mode: 0o600 });
  const secrets = await openHookSecrets(path);
  await using door = await aDoor({}, { secrets });
  expect((await door.post(MAIN)).status).toBe(202);
  await chmod(path, 0o644);
  const again = pushHook("github", "refs/heads/other", COMMIT_B, { secret: SECRET });
  expect((await door.post(again)).status).toBe(401);
  expect(door.outcomes.at(-2)).toEqual(["shop", "no-secret"]);
  await chmod(path, 0o600);
  expect((await door.post(again)).status).toBe(202);
});

test.each([
  ["", "is empty"],
  ["two words\n", "more than one word"],
  ["a\nb\nc\nd\ne\n", "more than 4 lines"],
])("a file of secrets %j is refused", async (text, why) => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "secret");
  await writeFile(path, text, { mode: 0o600 });
  await expect(openHookSecrets(path)).rejects.toMatchObject({
    code: "AGENT_INSECURE",
    message: expect.stringContaining(why),
  });
});

test("10 MB are refused by what the header promises, and by what comes without a promise", async () => {
  await using door = await aDoor();
  const body = Buffer.alloc(10_000_000, 32);
  expect(await door.post({ ...MAIN, body })).toMatchObject({ status: 413, body: { code: "PAYLOAD_TOO_LARGE" } });
  const socket = connect(door.port, "127.0.0.1");
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString();
  });
  socket.write("POST /v1/hooks/shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
  const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x100000, 32), Buffer.from("\r\n")]);
  // Without an end: it is cut off.
  const pump = setInterval(() => socket.write(chunk), 5);
  try {
    await until("it is cut off", () => socket.destroyed || socket.closed);
  } finally {
    clearInterval(pump);
    socket.destroy();
  }
  expect(door.outcomes).toEqual([
    ["shop", "too-large"],
    ["shop", "too-large"],
  ]);
  expect(answer === "" || answer.startsWith("HTTP/1.1 413")).toBe(true);
});

test("a body that comes a byte now and then is given up, and one that breaks off is nobody's error", async () => {
  await using door = await aDoor({ bodyMs: 150 });
  const socket = connect(door.port, "127.0.0.1");
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString();
  });
  socket.write("POST /v1/hooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
  const drip = setInterval(() => socket.write("x"), 20);
  await until("it is given up", () => socket.closed).finally(() => clearInterval(drip));
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  const brief = connect(door.port, "127.0.0.1");
  brief.write("POST /v1/hooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nxxx", () => brief.destroy());
  await until("both are counted", () => door.outcomes.length === 2);
  expect(door.outcomes.map(([, outcome]) => outcome)).toEqual(["too-slow", "gone"]);
  expect((await door.post(MAIN)).status).toBe(202);
});

test("more than may be held at once is refused for now, and room is made when it is done", async () => {
  await using door = await aDoor({ heldBytes: 10 });
  const socket = connect(door.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`POST /v1/hooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n${"x".repeat(500)}`);
  await until("it is refused", async () => (await door.post(MAIN)).status === 503);
  expect(door.outcomes.at(-1)).toEqual(["shop", "busy"]);
  socket.destroy();
  const later = pushHook("github", "refs/heads/later", COMMIT_B, { secret: SECRET });
  await until("there is room", async () => (await door.post(later)).status === 202);
});

test("what is no POST, and garbage that is signed, are told so; what throws in the gateway is not the sender's", async () => {
  await using door = await aDoor(
    {},
    {
      onEvent: () => {
        throw new Error("of ours");
      },
    },
  );
  const got = await fetch(`http://127.0.0.1:${door.port}/v1/hooks/shop`);
  expect([got.status, got.headers.get("allow")]).toEqual([405, "POST"]);
  const garbage = sendBytes("github", "push", Buffer.from("<html>"), { secret: SECRET });
  expect(await door.post(garbage)).toMatchObject({ status: 400, body: { message: "the body is not JSON" } });
  expect((await door.post(MAIN)).status).toBe(202);
  expect((await door.post(pushHook("github", "refs/heads/b", COMMIT_B, { secret: SECRET }))).status).toBe(202);
});

test.runIf(requires("a webhook from plain sh", "curl", "openssl"))(
  "the words of docs/forges.md for plain sh make a webhook that is taken",
  async () => {
    await using door = await aDoor({}, { kind: "generic" });
    const text = await readFile(join(import.meta.dirname, "../../../docs/forges.md"), "utf8");
    const script = /```sh\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
    await using folder = await aTempFolder();
    await writeFile(join(folder.path, "hook.secret"), `${SECRET}\n`);
    const here = script.replace("https://GATEWAY/v1/hooks/NAME", `http://127.0.0.1:${door.port}/v1/hooks/shop`);
    const { stdout } = await promisify(execFile)("sh", ["-eu", "-c", here], { cwd: folder.path });
    expect(JSON.parse(stdout)).toEqual({ outcome: "accepted" });
    expect(door.events).toEqual([{ kind: "push", ref: "refs/heads/main", commit: null }]);
  },
);
