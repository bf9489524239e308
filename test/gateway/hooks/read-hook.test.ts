import { expect, test } from "vitest";
import { FORGE_KINDS, type ForgeKind, type HookReading } from "../../../src/gateway/hooks/hook-event.ts";
import { readHook } from "../../../src/gateway/hooks/read-hook.ts";
import { SeenHooks } from "../../../src/gateway/hooks/seen-hooks.ts";
import { instant } from "../../../src/model/names.ts";
import {
  COMMIT_A,
  COMMIT_B,
  pullHook,
  pushHook,
  pushPayload,
  type SentHook,
  sendBytes,
  sendHook,
} from "../../support/a-hook.ts";

const SECRET = "correct-horse-battery";
const SIGNING = `whsec_${Buffer.from("of thirty-two bytes as they send").toString("base64")}`;
const NOW = 1_790_000_000;
const clock = { now: () => instant(new Date(NOW * 1000).toISOString()), monotonicMs: () => 0 };
const read = (kind: ForgeKind, hook: SentHook, secrets = [SECRET], seen = new SeenHooks()): HookReading =>
  readHook(hook, { kind, secrets, clock, seen });
const signed = { secret: SECRET, sentAt: NOW };

test.each(FORGE_KINDS)("%s: a push, a deleted branch and a tag", (kind) => {
  const [main, old, tag] = ["refs/heads/main", "refs/heads/old", "refs/tags/v1"];
  const events = (hook: SentHook) => read(kind, hook);
  expect(events(pushHook(kind, main, COMMIT_B, signed))).toEqual({
    refused: null,
    events: [{ kind: "push", ref: main, commit: COMMIT_B }],
  });
  expect(events(pushHook(kind, old, null, signed))).toMatchObject({
    events: [{ kind: "push", ref: old, commit: null }],
  });
  expect(events(pushHook(kind, tag, COMMIT_B, signed))).toMatchObject({ events: [{ ref: tag, commit: COMMIT_B }] });
});

const ACTIONS: Readonly<Record<Exclude<ForgeKind, "generic">, readonly (readonly [string, string | null])[]>> = {
  github: [
    ["opened", "opened"],
    ["reopened", "opened"],
    ["synchronize", "updated"],
    ["edited", "updated"],
    ["closed", "closed"],
    ["labeled", null],
  ],
  gitea: [
    ["opened", "opened"],
    ["synchronized", "updated"],
    ["closed", "closed"],
    ["reviewed", null],
  ],
  forgejo: [
    ["opened", "opened"],
    ["synchronized", "updated"],
    ["closed", "closed"],
    ["constructor", null],
  ],
  gitlab: [
    ["open", "opened"],
    ["reopen", "opened"],
    ["update", "updated"],
    ["merge", "closed"],
    ["close", "closed"],
    ["approved", null],
  ],
  bitbucket: [
    ["created", "opened"],
    ["updated", "updated"],
    ["fulfilled", "closed"],
    ["rejected", "closed"],
    ["approved", null],
  ],
};

test.each(Object.entries(ACTIONS))("%s: pull requests", (name, actions) => {
  const kind = name as ForgeKind;
  for (const [action, expected] of actions) {
    const hook = pullHook(kind, { number: 7, action, head: "more", commit: COMMIT_B, base: "main" }, signed);
    const pull = {
      kind: "pull-request",
      number: 7,
      action: expected,
      head: { ref: "more", commit: COMMIT_B },
      base: { ref: "main" },
    };
    expect(read(kind, hook), action).toMatchObject({ events: [expected === null ? { kind: "other" } : pull] });
  }
});

test("Bitbucket: a push of several refs, and what Data Center says of a push, of a pull request and to see whether we are there", () => {
  const change = (name: string) => ({ new: { type: "branch", name, target: { hash: COMMIT_B } }, old: null });
  const both = sendHook("bitbucket", "repo:push", { push: { changes: [change("main"), change("next")] } }, signed);
  expect(read("bitbucket", both)).toMatchObject({ events: [{ ref: "refs/heads/main" }, { ref: "refs/heads/next" }] });
  const changes = [
    {
      ref: { id: "refs/heads/main", displayId: "main", type: "BRANCH" },
      refId: "refs/heads/main",
      fromHash: COMMIT_A,
      toHash: COMMIT_B,
      type: "UPDATE",
    },
  ];
  const moved = sendHook("bitbucket", "repo:refs_changed", { eventKey: "repo:refs_changed", changes }, signed);
  expect(read("bitbucket", moved)).toMatchObject({
    events: [{ kind: "push", ref: "refs/heads/main", commit: COMMIT_B }],
  });
  const fromRef = { id: "refs/heads/more", displayId: "more", latestCommit: COMMIT_B };
  const pullRequest = { id: 7, fromRef, toRef: { id: "refs/heads/main", displayId: "main", latestCommit: COMMIT_A } };
  const pulled = sendHook("bitbucket", "pr:from_ref_updated", { pullRequest }, signed);
  expect(read("bitbucket", pulled)).toMatchObject({ events: [{ kind: "pull-request", number: 7, action: "updated" }] });
  expect(read("bitbucket", sendHook("bitbucket", "diagnostics:ping", { test: true }, signed))).toMatchObject({
    events: [{ kind: "ping" }],
  });
});

test("GitHub's ping, and events that nobody here knows", () => {
  expect(
    read("github", sendHook("github", "ping", { zen: "Keep it logically awesome.", hook_id: 1 }, signed)),
  ).toMatchObject({ events: [{ kind: "ping" }] });
  expect(read("github", sendHook("github", "star\u001b[2J", {}, signed))).toMatchObject({
    events: [{ kind: "other", what: "star2J" }],
  });
  expect(read("gitlab", sendHook("gitlab", "Wiki Page Hook", { object_kind: "wiki_page" }, signed))).toMatchObject({
    events: [{ kind: "other", what: "wiki_page" }],
  });
  expect(read("generic", sendHook("generic", "", {}, signed))).toMatchObject({ events: [{ kind: "ping" }] });
});

test.each(FORGE_KINDS)("%s: unsigned, empty, of another secret, of another body", (kind) => {
  const hook = pushHook(kind, "refs/heads/main", COMMIT_B, signed);
  const refused = (changed: SentHook, secrets?: string[]) =>
    expect(read(kind, changed, secrets)).toMatchObject({ refused: "signature" });
  refused(pushHook(kind, "refs/heads/main", COMMIT_B, { ...signed, secret: null }));
  refused(pushHook(kind, "refs/heads/main", COMMIT_B, { ...signed, secret: "another" }));
  refused(hook, []);
  const names = Object.keys(hook.headers).filter((name) => /signature|token/.test(name));
  expect(names.length).toBeGreaterThan(0);
  refused({ ...hook, headers: { ...hook.headers, ...Object.fromEntries(names.map((name) => [name, ""])) } });
  refused({
    ...hook,
    headers: Object.fromEntries(Object.entries(hook.headers).filter(([name]) => !names.includes(name))),
  });
  refused({ ...hook, headers: { ...hook.headers, ...Object.fromEntries(names.map((name) => [name, "sha256="])) } });
  if (kind !== "gitlab") refused({ ...hook, body: Buffer.concat([hook.body, Buffer.from(" ")]) });
});

test.each(FORGE_KINDS)("%s: while the secret is changed, both count", (kind) => {
  const hook = pushHook(kind, "refs/heads/main", COMMIT_B, signed);
  expect(read(kind, hook, ["the-new-one", SECRET]).refused).toBeNull();
  expect(read(kind, hook, [SECRET, "the-new-one"]).refused).toBeNull();
});

test("GitLab's signing token signs id, time and body, and is never taken as a plain token", () => {
  const hook = pushHook("gitlab", "refs/heads/main", COMMIT_B, { secret: SIGNING, sentAt: NOW });
  const taken = (changed: SentHook, secrets = [SIGNING]) => read("gitlab", changed, secrets).refused;
  expect(taken(hook)).toBeNull();
  expect(taken(hook, [SECRET, SIGNING])).toBeNull();
  expect(taken({ ...hook, headers: { ...hook.headers, "webhook-id": "another" } })).toBe("signature");
  expect(taken({ ...hook, headers: { ...hook.headers, "webhook-timestamp": String(NOW + 1) } })).toBe("signature");
  expect(taken({ ...hook, body: Buffer.from("{}") })).toBe("signature");
  expect(
    taken({
      ...hook,
      headers: { ...hook.headers, "webhook-signature": `v1,AAAA ${hook.headers["webhook-signature"]}` },
    }),
  ).toBeNull();
  expect(taken({ body: hook.body, headers: { "x-gitlab-token": SIGNING } })).toBe("signature");
  expect(taken(hook, ["whsec_"])).toBe("signature");
});

test.each([
  ["gitlab", SIGNING],
  ["generic", SECRET],
] as const)("%s: what was signed long ago, or is from the future, is refused", (kind, secret) => {
  const at = (sentAt: number) =>
    read(kind, pushHook(kind, "refs/heads/main", COMMIT_B, { secret, sentAt }), [secret]).refused;
  expect([at(NOW - 299), at(NOW + 299)]).toEqual([null, null]);
  expect([at(NOW - 301), at(NOW + 301)]).toEqual(["time", "time"]);
});

test.each(FORGE_KINDS)("%s: a replay is known again, also under another delivery id that nobody signed", (kind) => {
  const seen = new SeenHooks();
  const hook = pushHook(kind, "refs/heads/main", COMMIT_B, signed);
  expect(read(kind, hook, [SECRET], seen).refused).toBeNull();
  expect(read(kind, hook, [SECRET], seen).refused).toBe("replayed");
  const renamed = {
    ...hook,
    headers: {
      ...hook.headers,
      "x-github-delivery": "1",
      "x-gitea-delivery": "1",
      "x-forgejo-delivery": "1",
      "x-request-uuid": "1",
    },
  };
  expect(read(kind, renamed, [SECRET], seen).refused).toBe("replayed");
});

test("what is not rightly signed pushes nothing out of what was seen, and what was seen is bounded", () => {
  const seen = new SeenHooks(2);
  const hooks = [COMMIT_A, COMMIT_B, "c".repeat(40)].map((commit) =>
    pushHook("github", "refs/heads/main", commit, signed),
  );
  expect(read("github", hooks[0] as SentHook, [SECRET], seen).refused).toBeNull();
  for (let count = 0; count < 5; count++)
    read("github", pushHook("github", "refs/heads/main", "d".repeat(40), { secret: "another" }), [SECRET], seen);
  expect(read("github", hooks[0] as SentHook, [SECRET], seen).refused).toBe("replayed");
  for (const hook of hooks.slice(1)) read("github", hook, [SECRET], seen);
  expect(read("github", hooks[0] as SentHook, [SECRET], seen).refused).toBeNull();
});

test.each(["github", "gitea", "forgejo"] as const)("%s: a form", (kind) => {
  const hook = pushHook(kind, "refs/heads/main", COMMIT_B, { ...signed, asForm: true });
  expect(read(kind, hook)).toMatchObject({ events: [{ kind: "push", commit: COMMIT_B }] });
});

test("older Gitea signs the JSON of its form, not the form", () => {
  const inner = pushHook("gitea", "refs/heads/main", COMMIT_B, signed);
  const form = pushHook("gitea", "refs/heads/main", COMMIT_B, { ...signed, asForm: true });
  const hook = { body: form.body, headers: { ...inner.headers, "content-type": "application/x-www-form-urlencoded" } };
  expect(read("gitea", hook)).toMatchObject({ events: [{ kind: "push", commit: COMMIT_B }] });
});

test("text that is no ASCII comes through a form as it was", () => {
  const payload = { ...pushPayload("github", "refs/heads/mäin", COMMIT_B) };
  expect(read("github", sendHook("github", "push", payload, { ...signed, asForm: true }))).toMatchObject({
    events: [{ ref: "refs/heads/mäin" }],
  });
});

test("garbage that is rightly signed is told as garbage", () => {
  const garbage = (text: string) => read("github", sendBytes("github", "push", Buffer.from(text), signed));
  for (const text of [
    "",
    "{",
    "[]",
    "7",
    "null",
    `${"[".repeat(5_000)}`,
    `${'{"a":'.repeat(70)}1${"}".repeat(70)}`,
    '{"__proto__":{}}',
  ])
    expect(garbage(text), text.slice(0, 20)).toMatchObject({ refused: "garbage" });
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const hook = sendBytes("github", "push", Buffer.from("a=b"), signed);
  expect(read("github", { ...hook, headers: { ...hook.headers, ...form } })).toMatchObject({ refused: "garbage" });
});

test("a push whose ref could be an option, a pattern or two lines is nobody's push", () => {
  for (const ref of ["--upload-pack=x", "refs/heads/a b", "refs/heads/*", "refs/heads/a\nb", "", "x".repeat(600)])
    expect(read("github", sendHook("github", "push", pushPayload("github", ref, COMMIT_B), signed))).toMatchObject({
      events: [{ kind: "other" }],
    });
  expect(
    read("github", sendHook("github", "push", pushPayload("github", "refs/heads/main", "HEAD"), signed)),
  ).toMatchObject({ events: [{ kind: "other" }] });
});
