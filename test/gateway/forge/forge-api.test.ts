/** Each forge over its stand-in, which checks every field as the real one does. */
import { chmod, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { type ApiKind, FORGE_LIMITS, type StatusState } from "../../../src/gateway/forge/forge.ts";
import { RetryAfter } from "../../../src/gateway/forge/forge-http.ts";
import { apiBase, openForge } from "../../../src/gateway/forge/open-forge.ts";
import { shorten } from "../../../src/gateway/forge/shorten.ts";
import { COMMIT_A, COMMIT_B } from "../../support/a-hook.ts";
import { aForge, type BadDay } from "../../support/forge/a-forge.ts";

const KINDS = Object.keys(FORGE_LIMITS) as ApiKind[];
const { signal } = new AbortController();
const STATUS = {
  commit: COMMIT_A,
  context: "odorobo/shop",
  state: "success",
  line: "applied",
  link: "https://gw.example.net/r",
} as const;

const WORDS: Readonly<Record<ApiKind, Readonly<Record<StatusState, string>>>> = {
  github: { pending: "pending", success: "success", failure: "failure", error: "error", neutral: "success" },
  gitea: { pending: "pending", success: "success", failure: "failure", error: "error", neutral: "success" },
  forgejo: { pending: "pending", success: "success", failure: "failure", error: "error", neutral: "success" },
  gitlab: { pending: "running", success: "success", failure: "failed", error: "failed", neutral: "canceled" },
  bitbucket: { pending: "INPROGRESS", success: "SUCCESSFUL", failure: "FAILED", error: "FAILED", neutral: "STOPPED" },
};

test.each(KINDS)("%s: every state is one that it knows, with line and link", async (kind) => {
  await using stand = await aForge(kind);
  const forge = await openForge(stand.config);
  for (const [state, word] of Object.entries(WORDS[kind])) {
    await forge.setStatus({ ...STATUS, state: state as StatusState, line: `it is ${state}` }, signal);
    expect(stand.latest(COMMIT_A)).toEqual({
      commit: COMMIT_A,
      context: "odorobo/shop",
      state: word,
      line: `it is ${state}`,
      link: STATUS.link,
    });
  }
  expect(await forge.whoAmI(signal)).toBe("odorobo-bot");
});

test.each(KINDS)("%s: what is too long is cut to what it takes, and long names stay apart", async (kind) => {
  await using stand = await aForge(kind);
  const forge = await openForge(stand.config);
  const { line, context } = FORGE_LIMITS[kind];
  const long = `odorobo/${"x".repeat(60)}`;
  await forge.setStatus({ ...STATUS, line: "ü".repeat(line + 50), context: `${long}1`, link: null }, signal);
  await forge.setStatus({ ...STATUS, line: `${"ü".repeat(line - 1)}…`, context: `${long}2`, link: null }, signal);
  const [first, second] = stand.statuses;
  expect(first?.line).toBe(`${"ü".repeat(line - 1)}…`);
  expect(first?.context).not.toBe(second?.context);
  expect(first?.context.length).toBeLessThanOrEqual(context);
});

test("GitLab: other words for what still runs", async () => {
  await using stand = await aForge("gitlab");
  const forge = await openForge(stand.config);
  for (const line of ["seen", "waits", "is being applied"])
    await forge.setStatus({ ...STATUS, state: "pending", line }, signal);
  expect(stand.latest(COMMIT_A)).toMatchObject({ state: "running", line: "is being applied" });
  await forge.setStatus(STATUS, signal);
  await forge.setStatus({ ...STATUS, state: "pending", line: "again" }, signal);
  expect(stand.latest(COMMIT_A)).toMatchObject({ state: "running", line: "again" });
});

test.each(KINDS)(
  "%s: one comment, found again among hundreds and changed in place; others' copies of its marker are left alone",
  async (kind) => {
    await using stand = await aForge(kind);
    const forge = await openForge(stand.config);
    stand.openPull({ number: 7, branch: "more", commit: COMMIT_B, base: "main" });
    const marker = "<!-- odorobo:plan:shop -->";
    stand.say(7, "mallory", `${marker}\nall is well`);
    await forge.putComment(7, marker, `${marker}\nfirst`, signal);
    for (let count = 0; count < 230; count++) stand.say(7, "ann", `word ${count}`);
    await forge.putComment(7, marker, `${marker}\nsecond`, signal);
    const changes = () => stand.requests.filter(({ method }) => method !== "GET").length;
    const before = changes();
    await forge.putComment(7, marker, `${marker}\nsecond\n`, signal);
    expect(changes()).toBe(before);
    const own = stand.comments(7).filter(({ author }) => author === stand.user);
    expect(own.map(({ body }) => body)).toEqual([`${marker}\nsecond`]);
    expect(stand.comments(7)[0]?.body).toBe(`${marker}\nall is well`);
  },
);

test.each(["github", "gitea", "forgejo", "bitbucket"] as const)(
  "%s: who is not told who it is does not change others' comments",
  async (kind) => {
    await using stand = await aForge(kind);
    const forge = await openForge(stand.config);
    stand.openPull({ number: 7, branch: "more", commit: COMMIT_B, base: "main" });
    stand.say(7, "mallory", "MARK all is well");
    for (const text of ["MARK one", "MARK two"]) {
      stand.badDays({ status: 403 });
      await forge.putComment(7, "MARK", text, signal);
    }
    expect(stand.comments(7).map(({ body }) => body)).toEqual(["MARK all is well", "MARK two"]);
  },
);

test.each(KINDS)("%s: open pull requests into a branch, page by page, and which are of forks", async (kind) => {
  await using stand = await aForge(kind);
  const forge = await openForge(stand.config);
  for (let number = 1; number <= 120; number++)
    stand.openPull({ number, branch: `b${number}`, commit: COMMIT_B, base: number === 5 ? "old" : "main" });
  stand.openPull({ number: 121, branch: "main", commit: COMMIT_A, base: "main", fork: "mallory/fleet" });
  const pulls = await forge.pullRequests("main", signal);
  expect(pulls).toHaveLength(120);
  expect(pulls[0]).toMatchObject({ number: 1, base: { ref: "main" }, isFork: false, head: { branch: "b1" } });
  expect(COMMIT_B.startsWith(pulls[0]?.head.commit ?? "?")).toBe(true);
  expect(pulls.at(-1)).toMatchObject({ number: 121, isFork: true });
  const refs = {
    github: "refs/pull/1/head",
    gitea: "refs/pull/1/head",
    forgejo: "refs/pull/1/head",
    gitlab: "refs/merge-requests/1/head",
    bitbucket: "refs/heads/b1",
  };
  expect(pulls[0]?.head.ref).toBe(refs[kind]);
});

const RESET_SOON = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(Math.floor(Date.now() / 1000) + 90) };
const BAD: readonly (readonly [string, BadDay, string])[] = [
  ["401", { status: 401 }, "FORGE_REFUSED"],
  ["403", { status: 403 }, "FORGE_REFUSED"],
  ["404", { status: 404 }, "FORGE_REFUSED"],
  ["422", { status: 422 }, "FORGE_REFUSED"],
  ["a redirect, which is not followed", { status: 302, headers: { location: "http://127.0.0.1:9/" } }, "FORGE_REFUSED"],
  ["403 for too many", { status: 403, headers: RESET_SOON }, "RATE_LIMITED"],
  [
    "403 for too many, in words",
    { status: 403, json: { message: "You have exceeded a secondary rate limit" } },
    "RATE_LIMITED",
  ],
  ["429", { status: 429, retryAfter: 7 }, "RATE_LIMITED"],
  ["500", { status: 500 }, "FORGE_UNREACHABLE"],
  ["503", { status: 503, retryAfter: 7 }, "FORGE_UNREACHABLE"],
  ["a page", "html", "FORGE_UNREACHABLE"],
  ["a cut connection", "reset", "FORGE_UNREACHABLE"],
  ["silence", "hang", "FORGE_UNREACHABLE"],
];

test.each(BAD)("%s is an error that says what to do, without the token", async (_, day, code) => {
  await using stand = await aForge("gitea");
  const forge = await openForge(stand.config, { answerMs: 300 });
  stand.badDays(day);
  const error = await forge.setStatus(STATUS, signal).catch((each) => each);
  expect(error).toMatchObject({ code, hint: expect.stringMatching(/./) });
  expect(JSON.stringify([error.message, error.hint])).not.toContain(stand.token);
  const asked = error.cause instanceof RetryAfter ? error.cause.milliseconds : null;
  if (typeof day === "object" && day.retryAfter !== undefined) expect(asked).toBe(7_000);
  if (typeof day === "object" && day.headers === RESET_SOON) expect(asked).toBeGreaterThan(60_000);
  await forge.setStatus(STATUS, signal);
  expect(stand.latest(COMMIT_A)?.state).toBe("success");
});

test.each(KINDS)("%s: a commit that it does not know, and a token that is another", async (kind) => {
  await using stand = await aForge(kind, { isKnown: (commit) => commit !== COMMIT_B });
  const forge = await openForge(stand.config);
  const code = kind === "gitea" || kind === "forgejo" ? "FORGE_UNREACHABLE" : "FORGE_REFUSED";
  await expect(forge.setStatus({ ...STATUS, commit: COMMIT_B }, signal)).rejects.toMatchObject({ code });
  await writeFile(stand.config.tokenFile, "another\n");
  await expect(forge.setStatus(STATUS, signal)).rejects.toMatchObject({
    code: "FORGE_REFUSED",
    hint: expect.stringContaining("tokenFile"),
  });
  await writeFile(stand.config.tokenFile, stand.token);
  await forge.setStatus(STATUS, signal);
  await chmod(stand.config.tokenFile, 0o644);
  await expect(forge.setStatus(STATUS, signal)).rejects.toMatchObject({ code: "AGENT_INSECURE" });
});

test("a forge that is not there", async () => {
  const stand = await aForge("github");
  const forge = await openForge(stand.config);
  await chmod(stand.config.tokenFile, 0o600);
  const { config } = stand;
  await stand[Symbol.asyncDispose]();
  await expect(forge.setStatus(STATUS, signal)).rejects.toBeInstanceOf(Error);
  await expect(openForge(config)).rejects.toMatchObject({ code: "AGENT_INSECURE" });
});

test.each([
  ["github", "https://github.com", "https://api.github.com/"],
  ["github", "https://api.github.com", "https://api.github.com/"],
  ["github", "https://ghe.example.net/", "https://ghe.example.net/api/v3"],
  ["gitea", "https://git.example.net/sub", "https://git.example.net/sub/api/v1"],
  ["forgejo", "https://git.example.net/api/v1/", "https://git.example.net/api/v1"],
  ["gitlab", "http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v4"],
  ["bitbucket", "https://bitbucket.org", "https://api.bitbucket.org/2.0"],
] as const)("%s at %s is asked at %s", (kind, text, expected) => {
  expect(apiBase(kind, text).href).toBe(expected);
});

test.each(["", "ftp://x", "https://u:p@x.example", "git@github.com:a/b", "https://x/?token=1"])(
  "%j is no forge's address",
  async (url) => {
    await using stand = await aForge("gitea");
    const error = await openForge({ ...stand.config, url }).catch((each) => each);
    expect(error.code).toBe("USAGE");
    expect(error.message).not.toContain("u:p");
    for (const repository of ["../x", "shop", "shop/..", "/shop/fleet", "shop//fleet", "shop/fleet?x"])
      await expect(openForge({ ...stand.config, repository })).rejects.toMatchObject({ code: "USAGE" });
  },
);

test("a line is one line, of whole characters, without what a page could not show", () => {
  expect(shorten("a\n\tb\u001b[31m\u202ec  d", 50)).toBe("a b[31mc d");
  expect(shorten("😀😀😀", 2)).toBe("😀…");
});
