/** A branch as a source of revisions: when it is looked at, what is a revision, what is refused, and what is only trouble. */

import { execFile } from "node:child_process";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import type { SeenRevision, SourceTrouble } from "../../src/gateway/loop/parts.ts";
import type { Revision } from "../../src/gateway/revision/revision.ts";
import { GitSource, type GitSourceOptions } from "../../src/gateway/sources/git-source.ts";
import { Repository } from "../../src/source/repository.ts";
import { commitFiles, git, makeRepository } from "../support/a-repository.ts";
import { aFleetDocument, aNode, aVm } from "../support/manifest-texts.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { TimeByHand } from "../support/time-by-hand.ts";

vi.setConfig({ testTimeout: 120_000 });

const FLEET = { "fleet.yaml": aFleetDocument(), "n1.yaml": aNode("n1"), "a.yaml": aVm("a") };
const INTERVAL_MS = 60_000;

class World implements AsyncDisposable {
  readonly time = new TimeByHand();
  readonly troubles: (SourceTrouble | null)[] = [];
  readonly repo: string;
  readonly cache: string;
  readonly repository: Repository;
  readonly source: GitSource;
  readonly #stop = new AbortController();
  readonly #revisions: AsyncGenerator<SeenRevision>;

  constructor(home: string, options: Partial<GitSourceOptions> = {}, remembered: readonly Revision[] = []) {
    this.repo = join(home, "repo");
    this.cache = join(home, "cache");
    this.repository = new Repository({ url: `file://${this.repo}`, credentials: {} }, this.cache);
    const { time } = this;
    this.source = new GitSource(
      this.repository,
      {
        ref: "main",
        path: null,
        intervalMs: INTERVAL_MS,
        jitter: () => 0,
        allowRewind: false,
        requireSigned: null,
        clock: time,
        sleep: time.sleep,
        ...options,
      },
      (trouble) => this.troubles.push(trouble),
    );
    this.source.recall(remembered);
    this.#revisions = this.source.revisions(this.#stop.signal);
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The next revision, whenever it comes. */
  waiting(): Promise<SeenRevision> {
    this.#waiting ??= this.#revisions.next().then(({ value }) => {
      this.#waiting = null;
      return value;
    });
    return this.#waiting;
  }
  #waiting: Promise<SeenRevision> | null = null;

  /** The next revision, each wait being over at once. */
  async next(): Promise<SeenRevision> {
    const seen = this.waiting();
    for (let looks = 0; looks < 10; looks += 1) {
      const first = await Promise.race([seen, this.time.asleep()]);
      if (typeof first !== "number") return first;
      await this.time.wake();
    }
    throw new Error("nothing is seen");
  }

  /** One look that sees nothing new. Returns how long it was waited for. */
  async nothing(): Promise<number> {
    void this.waiting().catch(() => {});
    const waited = await this.time.wake();
    await this.time.asleep();
    return waited;
  }

  read(revision: SeenRevision, since: SeenRevision | null) {
    return this.source.read(revision.id, since?.commit ?? null, this.signal);
  }

  async [Symbol.asyncDispose]() {
    this.#stop.abort();
    await this.#revisions.return(undefined).catch(() => {});
  }
}

async function following(
  use: (world: World, home: string) => Promise<void>,
  options: Partial<GitSourceOptions> = {},
): Promise<void> {
  await using home = await aTempFolder();
  await makeRepository(join(home.path, "repo"), FLEET);
  await using world = new World(home.path, options);
  await use(world, home.path);
}

test("each push is a revision, named by its commit; what was there before comes again under another name", () =>
  following(async (world) => {
    const { repo } = world;
    const one = await world.next();
    const head = await git(repo, "rev-parse", "HEAD");
    expect(one).toEqual({ id: head.slice(0, 12), what: "it is followed from now on: a commit", commit: head });
    expect((await world.read(one, null)).fleet).toMatchObject({ commit: head, source: `file://${repo}@main` });

    await commitFiles(repo, { "b.yaml": aVm("b") });
    await git(repo, "commit", "--quiet", "--amend", "--message", `\u001b[31mred\u202e ${"long ".repeat(40)}\n\nmore`);
    const two = await world.next();
    expect(two.what).toMatch(/^it was looked again: \[31mred {1,2}long [ long]+…$/);
    expect(two.what.length).toBeLessThan(100);
    expect((await world.read(two, one)).fleet.desired.vms).toHaveLength(2);

    await git(repo, "reset", "--quiet", "--hard", head);
    const three = await world.next();
    expect(three).toMatchObject({ id: `${head.slice(0, 12)}~2`, commit: head });
    await git(repo, "reset", "--quiet", "--hard", two.commit ?? "");
    expect((await world.next()).id).toBe(`${two.id}~2`);
  }));

test("a poke is a look at once, at most one a second, and none is lost", () =>
  following(async (world) => {
    const { time, source, repo } = world;
    await world.next();
    const first = world.waiting();
    expect(await time.asleep()).toBe(INTERVAL_MS);
    for (let count = 0; count < 200; count += 1) source.poke("a push");
    expect(await time.asleep()).toBe(1_000);
    const two = await commitFiles(repo, { "b.yaml": aVm("b") });
    await time.wake();
    expect(await first).toMatchObject({ commit: two, what: "a push: a commit" });

    const second = world.waiting();
    await time.wake();
    // It is being looked: that look may have come too early for this one.
    await setImmediate();
    source.poke("another push");
    expect(await time.asleep()).toBe(1_000);
    const three = await commitFiles(repo, { "c.yaml": aVm("c") });
    await time.wake();
    expect(await second).toMatchObject({ commit: three, what: "another push: a commit" });
  }));

test("a repository that is away is trouble, told until it is over, and waited for longer and longer", () =>
  following(async (world) => {
    await world.next();
    const { repo } = world;
    await rename(repo, `${repo}-renamed`);
    expect(await world.nothing()).toBe(INTERVAL_MS);
    const waits: number[] = [];
    for (let look = 0; look < 5; look += 1) waits.push((await world.nothing()) / INTERVAL_MS);
    expect(waits).toEqual([1, 2, 4, 8, 10]);
    const since = world.troubles[0]?.since;
    expect(world.troubles.map((trouble) => [trouble?.code, trouble?.looks, trouble?.since === since])).toEqual(
      [1, 2, 3, 4, 5, 6].map((looks) => ["SOURCE_UNREADABLE", looks, true]),
    );
    expect(world.troubles[0]?.hint).toMatch(/renamed/);
    // Somebody says that it is back.
    await rename(`${repo}-renamed`, repo);
    const head = await commitFiles(repo, { "b.yaml": aVm("b") });
    world.source.poke("a push");
    expect(await world.time.wake()).toBe(1_000);
    expect((await world.waiting()).commit).toBe(head);
    expect(world.troubles.at(-1)).toBe(null);
  }));

test.each([
  [
    "without the branch",
    "SOURCE_REF_NOT_FOUND",
    async (repo: string) => void (await git(repo, "branch", "-m", "other")),
  ],
  [
    "without a commit",
    "SOURCE_REF_NOT_FOUND",
    async (repo: string) => {
      await rm(join(repo, ".git"), { recursive: true });
      await git(repo, "init", "--quiet", "--initial-branch=main");
    },
  ],
])("a repository %s is trouble, and no revision", (_, code, change) =>
  following(async (world) => {
    await world.next();
    await change(world.repo);
    await world.nothing();
    expect(world.troubles).toMatchObject([{ code, looks: 1 }]);
  }),
);

test("what does not contain what is in force is refused: rewritten, older, from elsewhere", () =>
  following(async (world) => {
    const { repo } = world;
    const one = await world.next();
    await commitFiles(repo, { "b.yaml": aVm("b") });
    const two = await world.next();
    await world.read(two, one);
    const from = (revision: SeenRevision) => revision.commit?.slice(0, 12);

    await git(repo, "reset", "--quiet", "--hard", "HEAD~1");
    const older = await world.next();
    await expect(world.read(older, two)).rejects.toMatchObject({
      code: "SOURCE_REWOUND",
      message: `the history of ${from(older)} does not contain ${from(two)}, which is in force: it is an older one`,
      hint: expect.stringMatching(/git revert.*--allow-rewind/),
    });
    await commitFiles(repo, { "c.yaml": aVm("c") });
    const rewritten = await world.next();
    await expect(world.read(rewritten, two)).rejects.toMatchObject({
      code: "SOURCE_REWOUND",
      message: expect.stringMatching(new RegExp(`in force: they part at ${from(one)}$`)),
    });
    await git(repo, "checkout", "--quiet", "--orphan", "elsewhere");
    await commitFiles(repo, {});
    await git(repo, "branch", "--quiet", "-M", "main");
    const unrelated = await world.next();
    await expect(world.read(unrelated, two)).rejects.toMatchObject({
      message: expect.stringMatching(/they have no commit in common$/),
    });

    // Taking a commit back moves on, and a merge contains both.
    await git(repo, "reset", "--quiet", "--hard", two.commit ?? "");
    await git(repo, "revert", "--no-edit", "HEAD");
    const reverted = await world.next();
    expect((await world.read(reverted, two)).fleet.desired.vms).toHaveLength(1);
    await git(repo, "merge", "--quiet", "--no-edit", rewritten.commit ?? "");
    await world.read(await world.next(), reverted);
  }));

test("what is read is what was seen, whatever is pushed meanwhile; without manifests it is no fleet", () =>
  following(async (world) => {
    const { repo } = world;
    const one = await world.next();
    const reading = world.read(one, null);
    await commitFiles(repo, { "b.yaml": aVm("b") });
    expect((await reading).fleet).toMatchObject({ commit: one.commit, texts: { length: 3 } });
    await git(repo, "rm", "--quiet", "*.yaml");
    await git(repo, "commit", "--quiet", "--message", "gone");
    await expect(world.read(await world.next(), one)).rejects.toMatchObject({ code: "SOURCE_EMPTY" });
    // Nor is a folder that is not there any more.
    await git(repo, "revert", "--no-edit", "HEAD");
    await git(repo, "mv", "a.yaml", "a.txt");
    expect((await world.read(await world.next(), one)).fleet.desired.vms).toHaveLength(2);
  }));

test("a person may say that a rewind was meant", () =>
  following(
    async (world) => {
      await commitFiles(world.repo, { "b.yaml": aVm("b") });
      const two = await world.next();
      await git(world.repo, "reset", "--quiet", "--hard", "HEAD~1");
      expect((await world.read(await world.next(), two)).fleet.desired.vms).toHaveLength(1);
    },
    { allowRewind: true },
  ));

test("a server whose own history is cut says so", () =>
  following(async (world, home) => {
    const first = await git(world.repo, "rev-parse", "HEAD");
    await commitFiles(world.repo, { "b.yaml": aVm("b") });
    await commitFiles(world.repo, { "c.yaml": aVm("c") });
    await git(home, "clone", "--quiet", "--depth=1", `file://${world.repo}`, "shallow");
    await rm(world.repo, { recursive: true });
    await rename(join(home, "shallow"), world.repo);
    const tip = await world.next();
    await expect(world.source.read(tip.id, first, world.signal)).rejects.toMatchObject({
      code: "SOURCE_REWOUND",
      message: expect.stringMatching(/shallow clone/),
      hint: expect.stringMatching(/unshallow/),
    });
  }));

test("the next gateway knows the names of the one before; what was refused there is read again", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  const one = await makeRepository(repo, FLEET);
  const two = await commitFiles(repo, { "b.yaml": aVm("b") });
  const seen = (commit: string, standing: Revision["standing"]) =>
    ({ id: commit.slice(0, 12), commit, standing }) as Revision;
  {
    await using world = new World(home.path, {}, [seen(one, "applied"), seen(two, "applied")]);
    expect(await world.next()).toMatchObject({ id: two.slice(0, 12), commit: two });
  }
  await using world = new World(home.path, {}, [seen(one, "applied"), seen(two, "refused")]);
  const again = await world.next();
  expect(again).toMatchObject({ id: `${two.slice(0, 12)}~2`, commit: two });
  await world.source.read(again.id, one, world.signal);
  // What is in force is read without the server.
  await rename(repo, `${repo}-away`);
  expect((await world.source.read(one.slice(0, 12), one, world.signal)).fleet.desired.vms).toHaveLength(1);
});

test("a copy that is deleted or damaged meanwhile is made anew", () =>
  following(async (world) => {
    const one = await world.next();
    await rm(world.cache, { recursive: true });
    await world.read(one, null);
    const damages: ((folder: string) => Promise<unknown>)[] = [
      (folder) => rm(join(folder, "objects"), { recursive: true }),
      (folder) => rm(join(folder, "HEAD")),
      (folder) => writeFile(join(folder, "config"), "[broken"),
      async (folder) => {
        const blob = await git(world.repo, "rev-parse", "HEAD:a.yaml");
        const path = join(folder, "objects", blob.slice(0, 2), blob.slice(2));
        await rm(path, { force: true });
        await writeFile(path, "");
      },
    ];
    for (const damage of damages) {
      await damage(await world.repository.folderWith(one.commit ?? "", world.signal));
      expect((await world.read(one, null)).fleet.desired.vms).toHaveLength(1);
    }
  }));

test("what could not be read because nobody was there to ask is told of again when somebody is", () =>
  following(async (world) => {
    const one = await world.next();
    await rename(world.repo, `${world.repo}-away`);
    await rm(world.cache, { recursive: true });
    await expect(world.read(one, null)).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
    await world.nothing();
    expect(world.troubles).toMatchObject([{ code: "SOURCE_UNREADABLE" }]);
    await rename(`${world.repo}-away`, world.repo);
    await world.time.wake();
    const again = await world.waiting();
    expect(again).toMatchObject({ id: `${one.id}~2`, what: "it could not be read before: a commit" });
    await world.read(again, null);
    await world.nothing();
    expect(world.troubles).toHaveLength(2);
  }));

test.runIf(requires("who may sign", "ssh-keygen"))(
  "what nobody signed who may is told of again when they may",
  async () => {
    await using home = await aTempFolder();
    const key = join(home.path, "key");
    await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const signers = join(home.path, "signers");
    const isAllowed = async () => `alice ${await readFile(`${key}.pub`, "utf8")}`;
    await writeFile(
      signers,
      (await isAllowed()).replace(/AAAA.*/, "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    );
    await makeRepository(join(home.path, "repo"), FLEET);
    const sign = ["-c", "gpg.format=ssh", "-c", `user.signingKey=${key}.pub`];
    await git(join(home.path, "repo"), ...sign, "commit", "--quiet", "--amend", "--no-edit", "-S");
    await using world = new World(home.path, { requireSigned: signers });
    const one = await world.next();
    await expect(world.read(one, null)).rejects.toMatchObject({ code: "SOURCE_UNSIGNED" });
    await world.nothing();
    await writeFile(signers, await isAllowed());
    await world.time.wake();
    const again = await world.waiting();
    expect(again).toMatchObject({ id: `${one.id}~2`, what: "who may sign has changed: a commit" });
    await world.read(again, null);
  },
);

test("two gateways share a copy", async () => {
  await using home = await aTempFolder();
  await makeRepository(join(home.path, "repo"), FLEET);
  await using one = new World(home.path);
  await using two = new World(home.path);
  for (let push = 0; push < 3; push += 1) {
    await commitFiles(one.repo, { [`v${push}.yaml`]: aVm(`v${push}`) });
    const both = await Promise.all([one, two].map(async (world) => await world.read(await world.next(), null)));
    expect(both.map(({ fleet }) => fleet.desired.vms.length)).toEqual([push + 2, push + 2]);
  }
});

test("a tag that has the name of a branch which was deleted is not followed in its place", () =>
  following(async (world) => {
    await world.next();
    await git(world.repo, "tag", "main");
    await git(world.repo, "checkout", "--quiet", "--detach");
    await git(world.repo, "branch", "--quiet", "-D", "main");
    await commitFiles(world.repo, { "b.yaml": aVm("b") });
    await git(world.repo, "tag", "--force", "main");
    await world.nothing();
    expect(world.troubles).toMatchObject([
      { code: "SOURCE_REF_NOT_FOUND", message: "the branch main is gone, and what is called so now is a tag" },
    ]);
    await git(world.repo, "branch", "--quiet", "main");
    expect((await world.next()).what).toContain("a commit");
    expect(world.troubles.at(-1)).toBe(null);
  }));
