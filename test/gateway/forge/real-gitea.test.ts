/** The same things said to a real Gitea or Forgejo, where there is one: what the stand-in believes of it is true. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Forge } from "../../../src/gateway/forge/forge.ts";
import { openForge } from "../../../src/gateway/forge/open-forge.ts";
import { type HookFleet, type HookOutcome, hookHandler } from "../../../src/gateway/hooks/hook-door.ts";
import type { HookEvent } from "../../../src/gateway/hooks/hook-event.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { commitFiles, git, makeRepository } from "../../support/a-repository.ts";
import { aRealGitea, findGitea, type RealGitea } from "../../support/forge/a-real-gitea.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const program = findGitea();

const SECRET = "secret-of-the-hook";
const { signal } = new AbortController();

interface Status {
  readonly id: number;
  readonly status: string;
  readonly description: string;
  readonly target_url: string;
  readonly context: string;
}

describe.runIf(requires("statuses, comments and webhooks of a real Gitea or Forgejo", "gitea"))(
  "a real forge",
  { timeout: 120_000 },
  () => {
    const stack = new AsyncDisposableStack();
    let real: RealGitea;
    let forge: Forge;
    let head: string;
    const events: HookEvent[] = [];
    const ofForms: HookEvent[] = [];
    const outcomes: (readonly [string | null, HookOutcome])[] = [];

    beforeAll(async () => {
      real = stack.use(await aRealGitea(program!));
      forge = await openForge(real.config);
      const secrets = { read: async () => ["the-new-one", SECRET] };
      const fleets: Readonly<Record<string, HookFleet>> = {
        json: { kind: real.kind, secrets, onEvent: (event) => void events.push(event) },
        form: { kind: real.kind, secrets, onEvent: (event) => void ofForms.push(event) },
        bare: { kind: real.kind, secrets, onEvent: () => {} },
      };
      const counted = (...told: readonly [string | null, HookOutcome]) => void outcomes.push(told);
      const handle = hookHandler((name) => fleets[name] ?? null, { clock: systemClock, log: silentLogger, counted });
      const server = createServer((request, response) => void handle(request, response));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      stack.defer(async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      });
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/hooks`;
      for (const [name, content_type, secret] of [
        ["json", "json", SECRET],
        ["form", "form", SECRET],
        ["bare", "json", ""],
      ] as const)
        await real.call("POST", "/repos/shop/fleet/hooks", {
          type: real.kind,
          active: true,
          events: ["push", "pull_request", "pull_request_sync", "create", "delete"],
          config: { url: `${url}/${name}`, content_type, secret },
        });
      const folder = stack.use(await aTempFolder());
      const work = join(folder.path, "work");
      await makeRepository(work, { "fleet.yaml": "kind: Fleet\n" });
      await git(work, "push", "--quiet", real.pushUrl, "main");
      await git(work, "checkout", "--quiet", "-b", "more");
      head = await commitFiles(work, { "vms/web.yaml": "kind: VirtualMachine\n" });
      await git(work, "push", "--quiet", real.pushUrl, "more");
      // It looks at what was pushed after it has answered.
      const isSeen = (branch: string) =>
        real.call("GET", `/repos/shop/fleet/branches/${branch}`).then(Boolean, () => false);
      await until("it has seen both branches", async () => (await isSeen("main")) && (await isSeen("more")), 60_000);
      await real.call("POST", "/repos/shop/fleet/pulls", { head: "more", base: "main", title: "More" });
      await until("its hooks have come", () => events.some(({ kind }) => kind === "pull-request"), 60_000);
      head = await commitFiles(work, { "vms/db.yaml": "kind: VirtualMachine\n" });
      await git(work, "push", "--quiet", real.pushUrl, "more");
      await until(
        "its next have come",
        () => events.some((event) => event.kind === "pull-request" && event.action === "updated"),
        60_000,
      );
      await git(work, "push", "--quiet", real.pushUrl, "main:refs/heads/old");
      await git(work, "push", "--quiet", real.pushUrl, ":refs/heads/old");
    }, 300_000);
    afterAll(() => stack.disposeAsync());

    test("its webhooks are read, as JSON and as forms; those without a secret are refused", async () => {
      for (const all of [events, ofForms]) {
        await until("all have come", () => all.filter(({ kind }) => kind === "push").length >= 4, 60_000);
        const pushes = all.filter((event) => event.kind === "push");
        expect(pushes).toContainEqual({ kind: "push", ref: "refs/heads/more", commit: head });
        expect(pushes.filter(({ ref }) => ref === "refs/heads/main")).toHaveLength(1);
        const pulls = all.filter((event) => event.kind === "pull-request");
        expect(pulls).toContainEqual(expect.objectContaining({ number: 1, action: "opened", base: { ref: "main" } }));
        const moved = { kind: "pull-request", number: 1, action: "updated" } as const;
        expect(pulls).toContainEqual({ ...moved, head: { ref: "more", commit: head }, base: { ref: "main" } });
      }
      await until("those without a signature, too", () => outcomes.some(([fleet]) => fleet === "bare"), 60_000);
      expect(new Set(outcomes.map((told) => told.join(" ")))).toEqual(
        new Set(["json accepted", "form accepted", "bare signature"]),
      );
    });

    test("its repository is seen, and whose the token is", async () => {
      expect(await forge.whoAmI(signal)).toBe("odorobo-bot");
    });

    test("it takes every state, with line, link and context, and answers for unknown commits and wrong tokens as the stand-in does", async () => {
      const states = {
        pending: "pending",
        success: "success",
        failure: "failure",
        error: "error",
        neutral: "success",
      } as const;
      for (const [state, word] of Object.entries(states)) {
        const status = {
          commit: head,
          context: "odorobo/shop",
          state: state as keyof typeof states,
          line: `${state} ${"ü".repeat(300)}`,
          link: "https://gw.example.net/r",
        };
        await forge.setStatus(status, signal);
        const all = (await real.call("GET", `/repos/shop/fleet/commits/${head}/statuses?limit=50`)) as Status[];
        const latest = all.toSorted((a, b) => b.id - a.id)[0];
        expect(latest).toMatchObject({ status: word, context: "odorobo/shop", target_url: status.link });
        expect(Array.from(latest?.description ?? "")).toHaveLength(255);
      }
      const unknown = {
        commit: "d".repeat(40),
        context: "odorobo/shop",
        state: "success",
        line: "x",
        link: null,
      } as const;
      const error = await forge.setStatus(unknown, signal).catch((each) => each);
      // Gitea says 500, as if it were in trouble itself; later ones may know better.
      expect(error.message).toMatch(/answered (500|404|422) to POST/);
      await expect(
        openForge({ ...real.config, repository: "shop/other" }).then((other) => other.whoAmI(signal)),
      ).rejects.toMatchObject({ code: "FORGE_REFUSED", message: expect.stringContaining("answered 404") });
    });

    test("one comment among many, changed in place", async () => {
      const marker = "<!-- odorobo:plan:shop -->";
      await real.call("POST", "/repos/shop/fleet/issues/1/comments", { body: `${marker}\nall is well` });
      for (let count = 0; count < 60; count++)
        await real.call("POST", "/repos/shop/fleet/issues/1/comments", { body: `word ${count}` });
      const link = await forge.putComment(1, marker, `${marker}\n### first\n`, signal);
      expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/shop\/fleet\/pulls\/1#issuecomment-\d+$/);
      const again = await forge.putComment(1, marker, `${marker}\n### second\n${"x".repeat(60_000)}\n`, signal);
      expect(again).toBe(link);
      const comments = (await real.call("GET", "/repos/shop/fleet/issues/1/comments")) as {
        body: string;
        user: { login: string };
        updated_at: string;
      }[];
      expect(comments).toHaveLength(62);
      const own = comments.filter(({ user }) => user.login === "odorobo-bot");
      expect(own.map(({ body }) => body.slice(0, 40))).toEqual([`${marker}\n### second\n${"x"}`.padEnd(40, "x")]);
      await forge.putComment(1, marker, `${marker}\n### second\n${"x".repeat(60_000)}\n`, signal);
      const unchanged = (await real.call("GET", "/repos/shop/fleet/issues/1/comments")) as typeof comments;
      expect(unchanged.find(({ user }) => user.login === "odorobo-bot")?.updated_at).toBe(own[0]?.updated_at);
    });

    test("open pull requests into a branch, whose heads can be fetched", async () => {
      expect(await forge.pullRequests("main", signal)).toEqual([
        {
          number: 1,
          head: { ref: "refs/pull/1/head", branch: "more", commit: head },
          base: { ref: "main" },
          isFork: false,
        },
      ]);
      expect(await forge.pullRequests("old", signal)).toEqual([]);
      const refs = await git(process.cwd(), "ls-remote", real.pushUrl, "refs/pull/1/head");
      expect(refs.split("\t")[0]).toBe(head);
    });
  },
);
