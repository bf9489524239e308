/** Plans of pull requests: a real repository, real agents with noop guests, a stand-in of a forge. */
import { symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openForge } from "../../../src/gateway/forge/open-forge.ts";
import { type PullRequestOptions, PullRequests } from "../../../src/gateway/forge/plan-pull-requests.ts";
import { StatusQueue } from "../../../src/gateway/forge/status-queue.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { Repository } from "../../../src/source/repository.ts";
import { type PlannedFleet, planFor } from "../../../src/turn/plan-fleet.ts";
import { type Fleet, loadFleetAt } from "../../../src/turn/read-fleet.ts";
import { aLiveFleet, type LiveFleet } from "../../support/a-live-fleet.ts";
import { commitFiles, git } from "../../support/a-repository.ts";
import { type AForge, aForge } from "../../support/forge/a-forge.ts";
import { until } from "../../support/until.ts";

const TOKEN = "token-of-all-agents";

interface Stage extends AsyncDisposable {
  readonly stand: AForge;
  readonly fleet: LiveFleet;
  readonly pulls: PullRequests;
  /** Of the plans that were made. */
  readonly planned: Fleet[];
  readonly repository: Repository;
  /** Commits what is in the folder on a branch of the pull request, off main, and goes back to main. */
  propose(number: number, change: () => Promise<void>): Promise<string>;
  merge(change: () => Promise<void>): Promise<string>;
  /** As the loop does with what it has planned: whom agents are, and what they say. */
  see(): Promise<void>;
  comment(number: number): string;
  pull(number: number, commit: string, more?: { fork?: string }): void;
}

async function aStage(
  settings: Partial<PullRequestOptions> = {},
  kind: "gitea" | "bitbucket" = "gitea",
): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const fleet = stack.use(await aLiveFleet("n1"));
  const stand = stack.use(await aForge(kind));
  await fleet.vm("web");
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  await commitFiles(fleet.folder, {});
  const stop = new AbortController();
  const forge = await openForge(stand.config);
  const repository = new Repository({ url: fleet.folder }, join(fleet.scratch, "cache"));
  const queue = new StatusQueue({ forge, log: silentLogger, signal: stop.signal });
  const tokenFile = join(fleet.scratch, "token");
  await writeFile(tokenFile, TOKEN, { mode: 0o600 });
  const planned: Fleet[] = [];
  const plan = async (read: Fleet, signal: AbortSignal): Promise<PlannedFleet> => {
    planned.push(read);
    const location = { kind: "git", url: fleet.folder, ref: "main", path: null } as const;
    const allowances = { maxClass: null, allowDestroy: null };
    return await planFor(
      read,
      { location, access: { tokenFile }, selection: null, allowances, clock: systemClock },
      signal,
    );
  };
  const pulls = new PullRequests({
    forge,
    fleet: "shop",
    repository,
    base: "main",
    path: null,
    plan,
    queue,
    log: silentLogger,
    signal: stop.signal,
    forks: false,
    pollMs: 60_000,
    ...settings,
  });
  const running = pulls.run();
  stack.defer(async () => {
    stop.abort();
    await running;
    await queue.settled();
  });
  const inFolder = async (change: () => Promise<void>): Promise<string> => {
    await change();
    return await commitFiles(fleet.folder, {});
  };
  return {
    stand,
    fleet,
    pulls,
    planned,
    repository,
    async propose(number, change) {
      await git(fleet.folder, "checkout", "--quiet", "-B", `pull-${number}`, "main");
      const commit = await inFolder(change);
      await git(fleet.folder, "update-ref", `refs/pull/${number}/head`, commit);
      await git(fleet.folder, "checkout", "--quiet", "main");
      return commit;
    },
    merge: inFolder,
    async see() {
      const main = await loadFleetAt(
        repository,
        await repository.fetch("refs/heads/main", stop.signal),
        null,
        stop.signal,
      );
      await using seen = await plan(main, stop.signal);
      planned.pop();
      pulls.watcher.seen?.(seen);
    },
    comment: (number) => stand.comments(number).find(({ author }) => author === stand.user)?.body ?? "",
    pull: (number, commit, more = {}) =>
      stand.openPull({ number, branch: `pull-${number}`, commit, base: "main", ...more }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const hook = (head: string) =>
  ({
    kind: "pull-request",
    number: 7,
    action: "updated",
    head: { ref: "pull-7", commit: head },
    base: { ref: "main" },
  }) as const;

test("the plan of a pull request is one comment, changed in place when it is pushed to and when main moves on, and a status at its head", async () => {
  await using stage = await aStage({ againMs: 10_000 });
  const { stand, fleet, pulls } = stage;
  const base = await git(fleet.folder, "rev-parse", "main");
  const head = await stage.propose(7, () => fleet.vm("db"));
  stage.pull(7, head);
  await stage.see();
  await until("it is planned", () => stand.latest(head)?.state === "success", 60_000);
  expect(stand.latest(head)).toMatchObject({ context: "odorobo/shop/plan", line: "2 to create" });
  expect(stage.comment(7)).toContain("<code>db</code>");
  expect(stage.comment(7)).toContain(
    `${head.slice(0, 12)} merged with main at ${base.slice(0, 12)}, merge base ${base.slice(0, 12)}`,
  );

  const second = await stage.propose(7, async () => {
    await fleet.vm("db");
    await fleet.vm("cache");
  });
  stand.movePull(7, second);
  pulls.hook(hook(second));
  await until("the next push is planned", () => stand.latest(second)?.state === "success", 60_000);
  expect(stand.latest(second)?.line).toBe("3 to create");

  const main = await stage.merge(() => fleet.vm("other"));
  pulls.hook({ kind: "push", ref: "refs/heads/main", commit: main });
  await until(
    "it is told that main has moved on",
    () => stage.comment(7).includes(`Stale: main has moved on to ${main.slice(0, 12)}`),
    60_000,
  );
  await until(
    "it is planned with the new main",
    () => stage.comment(7).includes(`merged with main at ${main.slice(0, 12)}`) && !stage.comment(7).includes("Stale"),
    60_000,
  );
  // Merged with main, not alone: what main gained is not to be taken away.
  expect(stage.comment(7)).toContain("4 to create");
  expect(stage.comment(7)).not.toContain("destroy");
  expect(stand.comments(7)).toHaveLength(1);
  expect(stand.statuses.every(({ context }) => context === "odorobo/shop/plan")).toBe(true);
});

test("what policy would refuse after the merge is no success, and what would wait for a person is said", async () => {
  await using stage = await aStage();
  const { stand, fleet } = stage;
  const fleetOf = (gateway: string) =>
    fleet.write(
      "fleet.yaml",
      `apiVersion: odorobo.dev/v1\nkind: Fleet\nmetadata: { name: test }\nspec: { defaults: { hypervisor: noop, cpus: 1, memory: 64MiB }, policy: { gateway: ${gateway} } }\n`,
    );
  const refused = await stage.propose(1, () => fleetOf("{ auto: none, approve: [] }"));
  const asked = await stage.propose(2, () => fleetOf("{ auto: none }"));
  stage.pull(1, refused);
  stage.pull(2, asked);
  await stage.see();
  await until(
    "both are planned",
    () => [refused, asked].every((each) => stand.latest(each)?.state !== "pending"),
    60_000,
  );
  await until("they have their comments", () => stage.comment(1) !== "" && stage.comment(2) !== "", 60_000);
  expect(stand.latest(refused)?.state).toBe("failure");
  expect(stand.latest(refused)?.line).toMatch(/^would be refused: policy\.gateway lets nobody do web \(/);
  expect(stage.comment(1)).toContain("**Merged like this it would be refused:**");
  expect(stand.latest(asked)).toMatchObject({ state: "success", line: "1 to create; 1 would wait for approval" });
  expect(stage.comment(2)).toContain("Merged, it waits for an approval of web");
});

test("what is broken is told with its place, a conflict as one, and neither holds up the others", async () => {
  await using stage = await aStage();
  const { stand, fleet } = stage;
  const broken = await stage.propose(1, () => fleet.vm("db", ["memory: much"]));
  const clash = await stage.propose(2, () => fleet.vm("web", ["cpus: 3"]));
  await stage.merge(() => fleet.vm("web", ["cpus: 2"]));
  const good = await stage.propose(3, () => fleet.vm("db"));
  for (const [number, commit] of [
    [1, broken],
    [2, clash],
    [3, good],
  ] as const)
    stage.pull(number, commit);
  stand.say(3, "mallory", "<!-- odorobo:plan:shop -->\n**nothing to do**");
  await stage.see();
  await until(
    "all are told",
    () =>
      [broken, clash, good].every(
        (commit) => stand.latest(commit) !== undefined && stand.latest(commit)?.state !== "pending",
      ),
    60_000,
  );
  expect(stand.latest(broken)).toMatchObject({
    state: "failure",
    line: expect.stringMatching(/^no plan: vms\/db\.yaml:\d+:\d+ /),
  });
  expect(stage.comment(1)).toContain("vms/db.yaml:");
  expect(stand.latest(clash)).toMatchObject({ state: "failure", line: "conflicts with main" });
  expect(stage.comment(2)).toContain("it conflicts with main");
  expect(stand.latest(good)?.state).toBe("success");
  expect(stand.comments(3)[0]?.body).toContain("**nothing to do**");
});

test("a pull request that moves a node to an address of its author's is not asked there, nor one of a node that nobody knows", async () => {
  const heard: (string | undefined)[] = [];
  const thief = createServer((request, response) => {
    heard.push(request.headers.authorization);
    response.end("{}");
  });
  await new Promise<void>((resolve) => thief.listen(0, "127.0.0.1", resolve));
  try {
    await using stage = await aStage();
    const { stand, fleet } = stage;
    const address = `http://127.0.0.1:${(thief.address() as AddressInfo).port}`;
    const node = (name: string) =>
      `apiVersion: odorobo.dev/v1\nkind: Node\nmetadata: { name: ${name} }\nspec: { address: "${address}" }\n`;
    const head = await stage.propose(7, async () => {
      await fleet.write("nodes/n1.yaml", node("n1"));
      await fleet.write("nodes/n9.yaml", node("n9").replace(address, address.replace("127.0.0.1", "localhost")));
    });
    stage.pull(7, head);
    await stage.see();
    await until("it is told", () => (stand.latest(head)?.state ?? "pending") !== "pending", 60_000);
    expect(stand.latest(head)?.line).toContain("2 not asked");
    expect(stage.comment(7)).toContain("Not asked before it is merged");
    expect(stage.comment(7)).toContain("n1, n9");
    expect(heard).toEqual([]);
  } finally {
    thief.closeAllConnections();
    await new Promise((resolve) => thief.close(resolve));
  }
});

test("a pull request reads nothing of this machine: neither by a link, nor by a path that leads out, nor is its user data shown", async () => {
  await using stage = await aStage();
  const { stand, fleet } = stage;
  const secret = "only-this-machine-knows";
  await writeFile(join(fleet.scratch, "secret.yaml"), `kind: ${secret}\n`);
  const out = join(fleet.scratch, "secret.yaml");
  const link = await stage.propose(1, () => symlink(out, join(fleet.folder, "vms/link.yaml")));
  const path = await stage.propose(2, () => fleet.vm("db", ["cloudInit: { userData: ../../secret.yaml }"]));
  const inline = "password-of-the-guest";
  const text = await stage.propose(3, () =>
    fleet.vm("db", [`cloudInit: { userData: "#cloud-config\\npassword: ${inline}\\n" }`]),
  );
  for (const [index, commit] of [link, path, text].entries()) stage.pull(index + 1, commit);
  await stage.see();
  const isTold = (commit: string) => !["pending", undefined].includes(stand.latest(commit)?.state);
  await until("all are told", () => [link, path, text].every(isTold), 60_000);
  expect([stand.latest(link)?.state, stand.latest(path)?.state]).toEqual(["failure", "failure"]);
  expect(stage.comment(3)).toContain("<code>db</code>");
  const said = JSON.stringify([1, 2, 3].map((number) => [stage.comment(number), stand.statuses]));
  expect(said).not.toContain(secret);
  expect(said).not.toContain(inline);
});

test("pull requests of forks are not planned unless that is allowed; those that are closed are forgotten", async () => {
  await using stage = await aStage();
  const { stand, fleet, pulls } = stage;
  const theirs = await stage.propose(1, () => fleet.vm("theirs"));
  const ours = await stage.propose(2, () => fleet.vm("ours"));
  stage.pull(1, theirs, { fork: "mallory/fleet" });
  stage.pull(2, ours);
  await stage.see();
  await until("ours is planned", () => stand.latest(ours)?.state === "success", 60_000);
  expect(stand.comments(1)).toEqual([]);
  expect(stand.latest(theirs)).toBeUndefined();
  stand.closePull(2);
  const before = stage.planned.length;
  const asked = stand.requests.length;
  await stage.merge(() => fleet.vm("more"));
  pulls.hook({ kind: "push", ref: "refs/heads/main", commit: ours });
  await until("it has looked", () => stand.requests.length > asked, 60_000);
  expect(stage.planned).toHaveLength(before);
});

test("a locked pull request does not hold up the next, and a forge that is away is tried again", async () => {
  await using stage = await aStage({ pollMs: 300 });
  const { stand, fleet } = stage;
  const [first, second] = [await stage.propose(1, () => fleet.vm("a")), await stage.propose(2, () => fleet.vm("b"))];
  stand.badDays({ status: 500 }, "html");
  stage.pull(2, second);
  await stage.see();
  await until("the second is planned", () => stand.latest(second)?.state === "success", 60_000);
  stage.pull(1, first);
  // Its own name, the comments, and making one: refused.
  await until("the first is planned as far as it goes", () => stand.latest(first) !== undefined, 60_000);
});

test("Bitbucket, where comments hold no HTML and heads are branches, gets the plan as text", async () => {
  await using stage = await aStage({}, "bitbucket");
  const { stand, fleet } = stage;
  const head = await stage.propose(7, () => fleet.vm("db"));
  stage.pull(7, head);
  await stage.see();
  await until("it is planned", () => stand.latest(head)?.state === "SUCCESSFUL", 60_000);
  expect(stage.comment(7)).toMatch(/^\[odorobo-plan-shop\]: #odorobo\n\n```text\n/);
  expect(stage.comment(7)).not.toMatch(/<\/?(details|sub|code)/);
});
