/** Who comes in by what, and what they may do then. */
import { createHash, X509Certificate } from "node:crypto";
import { chmod, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAgentConfig } from "../../../src/agent/config.ts";
import { OPERATION_ROLES } from "../../../src/agent/http/routes/operation-roles.ts";
import { startAgent } from "../../../src/agent/main.ts";
import { includesRole, ROLES, type Role } from "../../../src/model/role.ts";
import { openAccessFile } from "../../../src/platform/http/door/access-file.ts";
import { parseAccessList, withDigest, withEntry, withoutEntries } from "../../../src/platform/http/door/access-list.ts";
import { openTokenFile } from "../../../src/platform/http/door/token-file.ts";
import { type Logger, silentLogger } from "../../../src/platform/logger.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import type { TlsFiles } from "../../../src/wire/credentials.ts";
import { makeCertificates, tlsSettings } from "../../support/certificates.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { aPut } from "../../support/wire-builders.ts";

const hash = (token: string) => createHash("sha256").update(token).digest("hex");
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** One caller for each role, whose token is the role's name. */
const EACH_ROLE = ROLES.map((role) => `${role}-caller ${role} sha256:${hash(role)}`).join("\n");

async function anAccessFile(text: string) {
  const folder = await aTempFolder();
  const path = join(folder.path, "access");
  await writeFile(path, text, { mode: 0o600 });
  return { ...folder, path, folder: folder.path };
}

const statusOf = async (agent: TestAgent, path: string, init: RequestInit) => (await agent.fetch(path, init)).status;

test("each caller may do what its role says and nothing more, for every kind of operation", async () => {
  await using file = await anAccessFile(EACH_ROLE);
  await using agent = await socketAgent({ access: await openAccessFile(file.path) });
  const bodies: Record<keyof typeof OPERATION_ROLES, object> = {
    boot: {},
    shutdown: { graceSeconds: 0 },
    reboot: { graceSeconds: null },
    pause: {},
    resume: {},
    "power-button": {},
    nmi: {},
    delete: { graceSeconds: null },
    snapshot: { folder: "/x/y" },
    restore: { folder: "/x/y" },
    resize: { cpus: 1, memoryMiB: null, balloonMiB: null, disk: null },
    attach: { device: { list: "disks", disk: aPut().spec.disks[0] } },
    detach: { device: { list: "disks", name: "root" } },
    "migrate-receive": { url: null },
    "migrate-send": { url: "tcp:10.0.0.2:49152", local: false },
    "expect-guest": { from: "n2", ticket: "t".repeat(43), generation: 1, spec: aPut().spec },
    migrate: {
      to: { node: "n2", address: "http://127.0.0.1:1", ticket: "t".repeat(43), fingerprint: null },
      mode: "live",
    },
    "cancel-migration": {},
    purge: {},
    coredump: { file: "/x/y" },
  };
  let number = 0;
  for (const [kind, body] of Object.entries(bodies)) {
    for (const role of ROLES) {
      const id = `op-${++number}`;
      const status = await statusOf(agent, "/v1/vms/web-1/operations", {
        method: "POST",
        headers: { ...bearer(role), "content-type": "application/json" },
        body: JSON.stringify({ id, expect: null, kind, ...body }),
      });
      const needed = OPERATION_ROLES[kind as keyof typeof OPERATION_ROLES];
      expect([kind, role, status]).toEqual([kind, role, includesRole(role, needed) ? 200 : 403]);
    }
  }
  // Nothing that was refused got through.
  const asked = agent.lifecycle.asked.map(({ request }) => request.id);
  expect(asked).toHaveLength(agent.audited.filter((each) => each.event === "request" && each.status === 200).length);
});

test("routes ask for the role that their table says", async () => {
  await using file = await anAccessFile(EACH_ROLE);
  await using agent = await socketAgent({ access: await openAccessFile(file.path) });
  const put = (body: object) => ({ method: "PUT", body: JSON.stringify(body) });
  const questions: [Role, string, RequestInit][] = [
    ["observe", "/v1/report", {}],
    ["observe", "/v1/vms/web-1", {}],
    ["apply", "/v1/vms/web-1", put(aPut())],
    ["apply", "/v1/fleets/shop/lease", put({ holder: "loop-1", by: "me", seconds: 30 })],
    ["apply", "/v1/fleets/shop/whereabouts", put({ fleet: "shop", at: "2026-01-01T12:00:00.000Z", homes: {} })],
  ];
  for (const [needed, path, init] of questions) {
    for (const role of ROLES) {
      const headers = { ...bearer(role), "content-type": "application/json" };
      const status = await statusOf(agent, path, { ...init, headers });
      expect([path, role, status]).toEqual([path, role, includesRole(role, needed) ? 200 : 403]);
    }
  }
  const refused = await agent.fetch("/v1/vms/web-1", { ...put(aPut()), headers: bearer("observe") });
  expect(await refused.json()).toMatchObject({
    code: "FORBIDDEN",
    message: "observe-caller has the role observe; this needs apply",
  });
});

test("who may not give a VM a spec is told of bridges and nothing of files; who may is told what a boot would find", async () => {
  await using file = await anAccessFile(EACH_ROLE);
  await using agent = await socketAgent({ access: await openAccessFile(file.path) });
  agent.lifecycle.there.add("/etc/shadow").add("br0");
  const questions = [
    { kind: "file", path: "/etc/shadow" },
    { kind: "disk", path: "/nowhere", readonly: true },
    { kind: "bridge", name: "br0" },
  ];
  for (const role of ROLES) {
    const headers = { ...bearer(role), "content-type": "application/json" };
    const asked = await agent.fetch("/v1/look", { method: "POST", headers, body: JSON.stringify({ questions }) });
    const files = [{ found: true }, { found: false, problem: "/nowhere is not there" }];
    const seen = includesRole(role, "apply") ? files : [null, null];
    expect([role, await asked.json()]).toEqual([role, { answers: [...seen, { found: true }] }]);
  }
});

test("the token file's token is an admin's beside those of the access file; strangers get in by neither", async () => {
  await using file = await anAccessFile(`ci operate sha256:${hash("ci-token")} # our CI\n`);
  const tokenPath = join(file.folder, "token");
  await writeFile(tokenPath, "master", { mode: 0o600 });
  await using agent = await socketAgent({
    token: await openTokenFile(tokenPath),
    access: await openAccessFile(file.path),
  });
  const purge = (token: string) => ({
    method: "POST",
    headers: { ...bearer(token), "content-type": "application/json" },
    body: JSON.stringify({ id: `p-${token}`, expect: null, kind: "purge" }),
  });
  expect(await statusOf(agent, "/v1/vms/web-1/operations", purge("master"))).toBe(200);
  expect(await statusOf(agent, "/v1/vms/web-1/operations", purge("ci-token"))).toBe(403);
  expect(await statusOf(agent, "/v1/report", { headers: bearer("ci-token") })).toBe(200);
  // The hash of a token is not the token.
  for (const shown of [hash("ci-token"), `sha256:${hash("ci-token")}`, "ci-toke", "Ci-token", "ci"]) {
    expect([shown, await statusOf(agent, "/v1/report", { headers: bearer(shown) })]).toEqual([shown, 401]);
  }
  expect(await statusOf(agent, "/v1/report", {})).toBe(401);
});

test("a changed file is in force at the next request; a broken one lets nobody in by it, and the token file still does", async () => {
  await using file = await anAccessFile(`ci admin sha256:${hash("old")}`);
  const tokenPath = join(file.folder, "token");
  await writeFile(tokenPath, "master", { mode: 0o600 });
  await using agent = await socketAgent({
    token: await openTokenFile(tokenPath),
    access: await openAccessFile(file.path),
  });
  const status = (token: string) => statusOf(agent, "/v1/report", { headers: bearer(token) });
  expect(await status("old")).toBe(200);

  // As `odorobo agent token` does: beside it, then over it.
  await writeFile(join(file.folder, "next"), `ci admin sha256:${hash("new")}\n`, { mode: 0o600 });
  await rename(join(file.folder, "next"), file.path);
  expect([await status("old"), await status("new")]).toEqual([401, 200]);

  await writeFile(file.path, `ci admin sha256:${hash("new")}\nbob root sha256:${hash("bob")}\n`);
  const answer = await agent.fetch("/v1/report", { headers: bearer("new") });
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain(file.folder);
  expect(agent.logged.at(-1)).toMatchObject({ level: "error", message: "nobody is let in" });
  expect(agent.logged.at(-1)?.fields).toMatchObject({
    err: { message: expect.stringContaining("line 2: the role of bob") },
  });
  expect(await status("master")).toBe(200);

  await writeFile(file.path, `ci admin sha256:${hash("new")}\n`);
  expect(await status("new")).toBe(200);
  await chmod(file.path, 0o644);
  expect(await status("new")).toBe(500);
  await chmod(file.path, 0o640);
  expect(await status("new")).toBe(200);
  await rm(tokenPath);
  expect([await status("new"), await status("master")]).toEqual([200, 500]);
});

test("an agent is started with the file, on an address that others reach; one whose file is broken does not start", async () => {
  await using file = await anAccessFile(EACH_ROLE);
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
  const config = parseAgentConfig({
    name: "n1",
    listen: ["0.0.0.0:0"],
    data: join(file.folder, "d"),
    run: join(file.folder, "r"),
    hypervisor: ["noop"],
    accessFile: file.path,
  });
  {
    await using agent = await startAgent(config, { log });
    const url = agent.urls[0]?.replace("0.0.0.0", "127.0.0.1") ?? "";
    const status = async (headers: Record<string, string>) => (await fetch(`${url}/v1/report`, { headers })).status;
    expect([await status({}), await status(bearer("observe")), await status(bearer("nobody"))]).toEqual([
      401, 200, 401,
    ]);
    expect(warnings).toContain("the token crosses the network unencrypted; --tls-cert and --tls-key change that");
  }
  await writeFile(file.path, "");
  await using agent = await startAgent(config, { log });
  expect(agent.urls).toHaveLength(1);
  expect(warnings).toContain("the access file lists nobody: odorobo agent token adds a caller");
  await writeFile(file.path, "nonsense");
  const other = { ...config, dataFolder: join(file.folder, "d2"), runFolder: join(file.folder, "r2") };
  await expect(startAgent(other, { log })).rejects.toMatchObject({ code: "AGENT_INSECURE" });
});

const badLines: [string, string, RegExp][] = [
  ["too few words", "ci admin", /line 1: it must be: NAME ROLE/],
  ["an unknown role", `ci root sha256:${hash("a")}`, /line 1: the role of ci must be one of observe/],
  ["a name with a slash", `a/b admin sha256:${hash("a")}`, /line 1: a name has letters/],
  ["a name that the gate gives", `loopback admin sha256:${hash("a")}`, /line 1: a name has letters/],
  [
    "a token instead of its hash",
    "ci admin s3cret",
    /line 1: the credential of ci must begin with sha256: or cert-sha256:/,
  ],
  ["half a hash", `ci admin sha256:${hash("a").slice(1)}`, /must have 64 hex digits/],
  [
    "a credential twice",
    `\na admin sha256:${hash("a")}\nb admin sha256:${hash("a")}`,
    /line 3: b has the credential of line 2/,
  ],
  [
    "two roles for one name",
    `a admin sha256:${hash("a")}\na apply sha256:${hash("b")}`,
    /line 2: a is apply here and admin in line 1/,
  ],
];
test.each(badLines)(
  "a file with %s is refused at the start, and the credential is not repeated",
  async (_, text, message) => {
    await using file = await anAccessFile(text);
    const error = await openAccessFile(file.path).catch((each) => each);
    expect(error).toMatchObject({ code: "AGENT_INSECURE", message: expect.stringMatching(message) });
    expect(error.message).not.toContain("s3cret");
  },
);

test("lists are edited without touching what is not meant, and read back as they were written", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9._@-]{0,10}$/).filter((each) => each !== "loopback");
  const entry = fc.record({
    name,
    role: fc.constantFrom(...ROLES),
    kind: fc.constantFrom("token" as const, "certificate" as const),
    digest: fc.stringMatching(/^[0-9a-f]{64}$/),
  });
  const entries = fc.uniqueArray(entry, { selector: (each) => each.name, maxLength: 8 });
  const note = fc.constantFrom("", "# who may what", "   ", "#");
  fc.assert(
    fc.property(entries, note, fc.stringMatching(/^[0-9a-f]{64}$/), (list, comment, digest) => {
      const text = list.reduce(withEntry, `${comment}\n`);
      const read = parseAccessList(text);
      expect(read.problems.filter((each) => !each.includes("has the credential of"))).toEqual([]);
      expect(read.entries.map(({ line: _, ...each }) => each)).toEqual(list);
      for (const chosen of read.entries) {
        const without = withoutEntries(text, [chosen]);
        expect(parseAccessList(without).entries.map((each) => each.name)).toEqual(
          list.map((each) => each.name).filter((each) => each !== chosen.name),
        );
        expect(without.startsWith(`${comment}\n`)).toBe(true);
        const renewed = parseAccessList(withDigest(text, chosen, { ...chosen, digest })).entries;
        expect(renewed.find((each) => each.name === chosen.name)?.digest).toBe(digest);
      }
    }),
  );
});

describe.runIf(requires("callers with client certificates", "openssl"))("client certificates", () => {
  const ask = async (address: string, tls: TlsFiles, token?: string): Promise<string> => {
    const client = connectAgent({ address, tls, answerMs: 5_000, ...(token === undefined ? {} : { token }) });
    try {
      await client.report(AbortSignal.timeout(60_000));
      return "answered";
    } catch (error) {
      return (error as Error).message;
    } finally {
      await client.close();
    }
  };

  test("with an access file only those that are listed count, in any spelling, with their role", async () => {
    await using folder = await aTempFolder();
    const certificates = await makeCertificates(folder.path);
    const { fingerprint256 } = new X509Certificate(await readFile(certificates.client.certFile));
    const path = join(folder.path, "access");
    const list = (fingerprint: string, role: string) =>
      writeFile(path, `alice ${role} cert-sha256:${fingerprint}\nci observe sha256:${hash("t")}`, { mode: 0o600 });
    await list(
      fingerprint256.replace(/[0-9A-F]/, (digit) => (digit === "0" ? "1" : "0")),
      "admin",
    );
    const tls = await tlsSettings(certificates, { clientCa: true });
    await using agent = await socketAgent({ tls, access: await openAccessFile(path) });
    const { caFile, client } = certificates;
    expect(await ask(agent.url, { caFile, ...client })).toMatch(/this certificate is not listed/);
    expect(await ask(agent.url, { caFile, ...client }, "t")).toBe("answered");
    // A token does not stand in for the certificate that the door asks for.
    expect(await ask(agent.url, { caFile }, "t")).toBe("this agent asks for a client certificate");
    for (const spelling of [fingerprint256, fingerprint256.toLowerCase(), fingerprint256.replaceAll(":", "")]) {
      await list(spelling, "observe");
      expect(await ask(agent.url, { caFile, ...client })).toBe("answered");
    }
  });

  test("a renewed certificate serves new connections and cuts no old one; one that fits no key changes nothing", async () => {
    await using folder = await aTempFolder();
    await using later = await aTempFolder();
    const before = await makeCertificates(folder.path);
    const after = await makeCertificates(later.path);
    await using agent = await socketAgent({ tls: await tlsSettings(before, { clientCa: false }) });
    const old = connectAgent({ address: agent.url, tls: { caFile: before.caFile } });
    const signal = AbortSignal.timeout(60_000);
    await old.report(signal);
    const stream = old.events(null, signal)[Symbol.asyncIterator]();
    const next = stream.next();
    agent.renewTls(await tlsSettings(after, { clientCa: false }));
    expect(await ask(agent.url, { caFile: after.caFile })).toBe("answered");
    expect(await ask(agent.url, { caFile: before.caFile })).toMatch(/no TLS connection/);
    agent.lifecycle.events.tell("phase", "web-1 runs");
    expect((await next).value?.message).toBe("web-1 runs");
    await old.close();
  });
});
