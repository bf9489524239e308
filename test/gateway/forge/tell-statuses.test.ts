/** What stands at commits, from what a loop remembers; over a stand-in with bad days. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CommitStatus, Forge } from "../../../src/gateway/forge/forge.ts";
import { openForge } from "../../../src/gateway/forge/open-forge.ts";
import { firstLine, statusOfRevision } from "../../../src/gateway/forge/status-of.ts";
import { StatusQueue } from "../../../src/gateway/forge/status-queue.ts";
import { tellStatuses } from "../../../src/gateway/forge/tell-statuses.ts";
import { type LoopState, NOTHING_SEEN } from "../../../src/gateway/revision/loop-state.ts";
import { type Because, type Revision, STANDINGS, type Standing } from "../../../src/gateway/revision/revision.ts";
import { DEFAULT_GATEWAY_POLICY } from "../../../src/model/desired-state.ts";
import { instant } from "../../../src/model/names.ts";
import { type Logger, silentLogger } from "../../../src/platform/logger.ts";
import type { PlannedFleet } from "../../../src/turn/plan-fleet.ts";
import { COMMIT_A, COMMIT_B } from "../../support/a-hook.ts";
import { type AForge, aForge } from "../../support/forge/a-forge.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const revision = (standing: Standing, because: Because | null = null, more: Partial<Revision> = {}): Revision => ({
  id: "aaaaaaaaaaaa",
  what: "a push",
  commit: COMMIT_A,
  standing,
  because,
  at: instant("2026-11-28T22:00:00.000Z"),
  digest: null,
  policy: DEFAULT_GATEWAY_POLICY,
  isDoubtful: false,
  own: [],
  declined: [],
  ...more,
});
const state = (...revisions: Revision[]): LoopState => ({ ...NOTHING_SEEN, revisions });

async function aTeller(stand: AForge, memoryFile: string | null = null, log: Logger = silentLogger) {
  const stop = new AbortController();
  const forge = await openForge(stand.config, { answerMs: 500 });
  const options = { forge, fleet: "shop", log, link: () => null, memoryFile, firstMs: 5, longestMs: 40 };
  const teller = await tellStatuses({ ...options, signal: stop.signal });
  return { ...teller, stop };
}

test("every standing is said in a line, and only what is at rest and well is a success", () => {
  const because = { code: null, message: "for a window, the next opens at 22:00: db" };
  const said = STANDINGS.map((standing) => [standing, statusOfRevision(revision(standing, because), null).state]);
  expect(Object.fromEntries(said)).toEqual({
    seen: "pending",
    read: "pending",
    planned: "pending",
    waiting: "pending",
    applying: "pending",
    applied: "success",
    failed: "failure",
    refused: "failure",
    replaced: "neutral",
    unchanged: "success",
  });
  expect(statusOfRevision(revision("waiting", because), null).line).toBe(
    "waits for a window, the next opens at 22:00: db",
  );
  const approval = { code: null, message: "for approval: web-1 (reboot)" };
  expect(statusOfRevision(revision("waiting", approval), "r-7").line).toBe(
    "waits: odorobo runs approve r-7 — approval: web-1 (reboot)",
  );
  const silent = { code: "AGENT_UNREACHABLE", message: "could not be seen, and was left alone: n1" } as const;
  expect(statusOfRevision(revision("failed", silent), null)).toEqual({
    state: "error",
    line: `failed: ${silent.message}`,
  });
});

test("of broken manifests the first mistake is said with its place, and no line of a file", () => {
  const message = [
    "3 mistakes in the manifests of ssh://git@forge.example.net/shop/fleet.git main",
    "",
    "vms/web.yaml:12:11  error  memory must be a size such as 512MiB or 4GiB, not a number",
    " 12 │     memory: 64",
    "    │             ^^",
    "    hint: write a unit: 64MiB or 64GiB",
    "",
    "vms/db.yaml:3:1  error  unknown field",
  ].join("\n");
  const line = firstLine({ code: "MANIFEST_INVALID", message });
  expect(line).toBe("vms/web.yaml:12:11 memory must be a size such as 512MiB or 4GiB, not a number (and 2 more)");
  expect(firstLine({ code: "PLAN_REFUSED", message: "too many\nsecret" })).toBe("too many");
});

test("a revision's way is at its commit, and a plan that waits says the command", async () => {
  await using stand = await aForge("gitea");
  const teller = await aTeller(stand);
  for (const standing of ["seen", "read", "planned"] as const) teller.changed(state(revision(standing)));
  await teller.settled();
  expect(stand.latest(COMMIT_A)).toMatchObject({
    context: "odorobo/shop",
    state: "pending",
    line: "planned, not begun yet",
  });
  const waits = revision("waiting", { code: null, message: "for approval: web-1 (reboot)" });
  // It waits before its run is kept, and nothing else changes until somebody says yes.
  teller.changed(state(waits));
  teller.asked(waits.id, {} as PlannedFleet, "20261128-abc");
  await teller.settled();
  expect(stand.latest(COMMIT_A)?.line).toBe("waits: odorobo runs approve 20261128-abc — approval: web-1 (reboot)");
  teller.changed(state(revision("applied")));
  teller.changed(state(revision("applied")));
  await teller.settled();
  expect(stand.latest(COMMIT_A)).toMatchObject({ state: "success", line: "applied" });
  const count = stand.statuses.length;
  teller.changed(state(revision("applied"), revision("seen", null, { id: "x", commit: null })));
  await teller.settled();
  expect(stand.statuses).toHaveLength(count);
});

test("one commit that is seen again says what became of it the last time", async () => {
  await using stand = await aForge("github");
  const teller = await aTeller(stand);
  teller.changed(
    state(
      revision("applied"),
      revision("applied", null, { id: "b", commit: COMMIT_B }),
      revision("seen", null, { id: "aaaaaaaaaaaa~2" }),
    ),
  );
  await teller.settled();
  expect(stand.latest(COMMIT_A)?.state).toBe("pending");
  expect(stand.latest(COMMIT_B)?.state).toBe("success");
});

test("a commit that says what the one in force says is no success while that one is none", async () => {
  await using stand = await aForge("gitea");
  const teller = await aTeller(stand);
  const again = revision("unchanged", { code: null, message: "it says what b says" });
  const said = async (standing: Standing, because: Because | null = null, ...more: Revision[]) => {
    const force = revision(standing, because, { id: "b", commit: COMMIT_B });
    teller.changed({ ...state(force, again, ...more), inForce: more.at(-1)?.id ?? "b" });
    await teller.settled();
    const { state: is, line } = stand.latest(COMMIT_A)!;
    return `${is} ${line}`;
  };
  const no = { code: "NOT_CONFIRMED", message: "bob turned it down" } as const;
  expect(await said("refused", no)).toBe("failure as b: refused: bob turned it down");
  const approval = { code: null, message: "for approval: web-1 (reboot)" };
  await said("waiting", approval);
  teller.asked("b", {} as PlannedFleet, "r-7");
  expect(await said("waiting", approval)).toBe(
    "pending as b: waits: odorobo runs approve r-7 — approval: web-1 (reboot)",
  );
  expect(await said("applied")).toBe("success nothing to do: it says what b says");
  expect(await said("failed", no)).toMatch(/^failure as b: /);
  // Another one is in force by now: what was said stays.
  expect(await said("failed", no, revision("applied", null, { id: "c", commit: null }))).toMatch(/^failure as b: /);
});

test("after a restart nothing is told twice, and what changed meanwhile is told", async () => {
  await using stand = await aForge("gitea");
  await using folder = await aTempFolder();
  const path = join(folder.path, "told.json");
  const first = await aTeller(stand, path);
  first.changed(state(revision("applied", null, { id: "b", commit: COMMIT_B }), revision("applying")));
  await first.settled();
  expect(stand.statuses).toHaveLength(2);
  const second = await aTeller(stand, path);
  second.changed(state(revision("applied", null, { id: "b", commit: COMMIT_B }), revision("applying")));
  await second.settled();
  expect(stand.statuses).toHaveLength(2);
  second.changed(state(revision("applied", null, { id: "b", commit: COMMIT_B }), revision("applied")));
  await second.settled();
  expect(stand.latest(COMMIT_A)?.state).toBe("success");
  // Back to what the file says, while another is on its way.
  second.changed(state(revision("applying")));
  second.changed(state(revision("applied")));
  await second.settled();
  expect(stand.latest(COMMIT_A)?.state).toBe("success");
});

test("what was refused and is read again after a restart is not told again, unless something else comes of it", async () => {
  await using stand = await aForge("gitea");
  await using folder = await aTempFolder();
  const path = join(folder.path, "told.json");
  const no = { code: "SOURCE_REWOUND", message: "its history does not contain b" } as const;
  const inForce = revision("applied", null, { id: "b", commit: COMMIT_B });
  const first = await aTeller(stand, path);
  first.changed(state(inForce, revision("refused", no)));
  await first.settled();
  const second = await aTeller(stand, path);
  const again = (standing: Standing, because: Because | null = null) =>
    state(inForce, revision("refused", no), revision(standing, because, { id: "aaaaaaaaaaaa~2" }));
  for (const standing of ["seen", "read", "planned"] as const) second.changed(again(standing));
  second.changed(again("refused", no));
  await second.settled();
  expect(stand.statuses.filter(({ commit }) => commit === COMMIT_A)).toHaveLength(1);
  second.changed(again("applying"));
  await second.settled();
  expect(stand.latest(COMMIT_A)?.state).toBe("pending");
});

test("a forge with every kind of bad day is told the newest in the end, once a cause is said, and nobody waits", async () => {
  await using stand = await aForge("github");
  const lines: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_, message) => void lines.push(message),
    info: (_, message) => void lines.push(message),
  };
  const teller = await aTeller(stand, null, log);
  stand.badDays(
    { status: 500 },
    { status: 500 },
    "html",
    "reset",
    "hang",
    { status: 429, retryAfter: 0 },
    { status: 401 },
    { status: 401 },
    { status: 403 },
  );
  for (const standing of ["seen", "read", "planned", "applying", "applied"] as const)
    teller.changed(state(revision(standing)));
  await teller.settled();
  expect(stand.latest(COMMIT_A)?.state).toBe("success");
  expect(stand.statuses.map(({ line }) => line)).toEqual(["applied"]);
  expect(lines.filter((line) => line.includes("401"))).toHaveLength(1);
  expect(lines.at(-1)).toBe("the forge takes statuses again");
  expect(teller.queue.trouble).toBeNull();
});

test.each(["gitea", "github"] as const)(
  "%s: a commit that the forge does not know is let go, and does not hold up the others",
  async (kind) => {
    await using stand = await aForge(kind, { isKnown: (commit) => commit === COMMIT_B });
    const teller = await aTeller(stand);
    teller.changed(state(revision("applied"), revision("applied", null, { id: "b", commit: COMMIT_B })));
    await teller.settled();
    expect(stand.statuses.map(({ commit }) => commit)).toEqual([COMMIT_B]);
    expect(teller.queue.dropped).toBe(1);
  },
);

test("more commits than may wait: those that wait longest are let go and counted; asked to stop, it stops", async () => {
  await using stand = await aForge("gitea");
  const stop = new AbortController();
  const forge = await openForge(stand.config);
  const queue = new StatusQueue({ forge, log: silentLogger, signal: stop.signal, most: 10 });
  stand.badDays("hang");
  for (let count = 0; count < 25; count++)
    queue.put({
      commit: count.toString(16).padStart(40, "0"),
      context: "odorobo/shop",
      state: "pending",
      line: "x",
      link: null,
    });
  expect([queue.waiting, queue.dropped]).toEqual([10, 14]);
  await until("the first is asked", () => stand.requests.length === 1);
  stop.abort();
  await queue.settled();
  expect(stand.statuses).toEqual([]);
});

test("a forge that asks to be left alone is left alone for as long", async () => {
  const pauses: number[] = [];
  let last = 0;
  let calls = 0;
  await using stand = await aForge("gitea");
  const real = await openForge(stand.config);
  const setStatus = async (status: CommitStatus, within: AbortSignal) => {
    if (calls++ > 0) pauses.push(performance.now() - last);
    last = performance.now();
    await real.setStatus(status, within);
  };
  const forge = { name: real.name, limits: real.limits, setStatus } as unknown as Forge;
  const queue = new StatusQueue({
    forge,
    log: silentLogger,
    signal: new AbortController().signal,
    firstMs: 1,
    longestMs: 5,
  });
  stand.badDays({ status: 429, retryAfter: 1 });
  queue.put({ commit: COMMIT_A, context: "c", state: "pending", line: "x", link: null });
  await queue.settled();
  expect(stand.statuses).toHaveLength(1);
  expect(pauses[0]).toBeGreaterThan(990);
});
