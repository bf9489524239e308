/** All that a forge is told of one fleet, as a gateway opens it. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { openFleetForge } from "../../../src/gateway/forge/fleet-forge.ts";
import { NOTHING_SEEN } from "../../../src/gateway/revision/loop-state.ts";
import { DEFAULT_GATEWAY_POLICY } from "../../../src/model/desired-state.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { Repository } from "../../../src/source/repository.ts";
import { planFleet } from "../../../src/turn/plan-fleet.ts";
import { aLiveFleet } from "../../support/a-live-fleet.ts";
import { commitFiles, git } from "../../support/a-repository.ts";
import { aForge } from "../../support/forge/a-forge.ts";
import { until } from "../../support/until.ts";

test("statuses at revisions and plans at pull requests, by what the loop tells and hooks say", async () => {
  await using fleet = await aLiveFleet("n1");
  await using stand = await aForge("forgejo");
  await fleet.vm("web");
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  const main = await commitFiles(fleet.folder, {});
  await using told = await openFleetForge({
    fleet: "shop",
    config: stand.config,
    link: ({ commit }) => `https://gw.example.net/${commit}`,
    dataFolder: fleet.scratch,
    clock: systemClock,
    log: silentLogger,
    pullRequests: {
      repository: new Repository({ url: fleet.folder }, join(fleet.scratch, "cache")),
      ref: "main",
      path: null,
      access: {},
      forks: false,
    },
  });
  const revision = {
    ...({ id: main.slice(0, 12), what: "a push", commit: main, standing: "applied", because: null } as const),
    at: systemClock.now(),
    ...{ digest: null, policy: DEFAULT_GATEWAY_POLICY, isDoubtful: false, own: [], declined: [] },
  };
  for (const watcher of told.watchers) watcher.changed({ ...NOTHING_SEEN, revisions: [revision] });
  await until("the revision is told", () => stand.latest(main) !== undefined);
  expect(stand.latest(main)).toMatchObject({
    context: "odorobo/shop",
    state: "success",
    link: `https://gw.example.net/${main}`,
  });

  const location = { kind: "folder", path: fleet.folder } as const;
  const allowances = { maxClass: null, allowDestroy: null };
  const signal = new AbortController().signal;
  await using seen = await planFleet({ location, access: {}, selection: null, allowances, clock: systemClock }, signal);
  for (const watcher of told.watchers) watcher.seen?.(seen);
  await git(fleet.folder, "checkout", "--quiet", "-b", "more");
  await fleet.vm("db");
  const head = await commitFiles(fleet.folder, {});
  await git(fleet.folder, "update-ref", "refs/pull/1/head", head);
  stand.openPull({ number: 1, branch: "more", commit: head, base: "main" });
  told.hook({
    kind: "pull-request",
    number: 1,
    action: "opened",
    head: { ref: "more", commit: head },
    base: { ref: "main" },
  });
  await until("the pull request is planned", () => stand.latest(head)?.state === "success", 60_000);
  expect(stand.latest(head)).toMatchObject({ context: "odorobo/shop/plan", line: "2 to create" });
  expect(stand.comments(1)).toHaveLength(1);
  expect(told.trouble).toBeNull();
});
