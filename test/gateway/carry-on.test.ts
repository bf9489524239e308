/** A run that somebody resumes at a gateway of a cluster is of one term, as whatever a loop does: to its last order. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ClusterReign } from "../../src/gateway/cluster/cluster-reign.ts";
import { CarriedOn } from "../../src/gateway/service/carry-on.ts";
import { instant } from "../../src/model/names.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { Logger } from "../../src/platform/logger.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import type { RunStore } from "../../src/run/run-store.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { planFleet } from "../../src/turn/plan-fleet.ts";
import { begunRun } from "../../src/turn/runs/begun-run.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { until } from "../support/until.ts";

const QUIET: Logger = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Logger;
const never = new AbortController().signal;
const EPOCH = 2;

/** As `Leadership` gives one. */
function aTerm(number: number) {
  const lost = new AbortController();
  return {
    ...{ key: `leader/${number}`, number, lease: "1", lost: lost.signal },
    requireNow: () => lost.signal.throwIfAborted(),
    giveUp: (because: string) => lost.abort(new Error(because)),
  };
}

/** Two VMs, one step at a time. */
async function aPausedRun(fleet: LiveFleet, store: RunStore): Promise<string> {
  const location = { kind: "folder", path: fleet.folder } as const;
  await fleet.vm("web-1");
  await fleet.vm("web-2");
  const allowances = { maxClass: null, allowDestroy: null };
  await using planned = await planFleet(
    { location, access: {}, selection: null, allowances, clock: systemClock },
    never,
  );
  const at = systemClock.now();
  const begun = begunRun(planned.plan, { location, access: {}, limits: { total: 1, perNode: 1 }, at });
  await using claim = await store.create(planned.plan, begun);
  claim.append({ event: "paused", at: instant(at), by: "me" });
  return claim.id;
}

/** `onAppended`: of whatever is written of a run that is claimed. */
const overheard = (store: RunStore, onAppended: (event: RunEvent) => void): RunStore =>
  new Proxy(store, {
    get(target, name: keyof RunStore) {
      if (name !== "claim") return (target[name] as () => unknown).bind(target);
      return async (id: string) => {
        const claim = await target.claim(id);
        if (claim === null) return null;
        const append = claim.append.bind(claim);
        claim.append = (event: RunEvent) => {
          append(event);
          onAppended(event);
        };
        return claim;
      };
    },
  });

/** The terms in which that node was ordered; `none`: in none. */
async function termsAt(fleet: LiveFleet, node: string): Promise<readonly string[]> {
  const lines = (await readFile(join(fleet.scratch, node, "d", "audit.log"), "utf8")).trim().split("\n");
  const asked = lines.map(
    (line) => JSON.parse(line) as { event: string; method?: string; term?: string; operation: object | null },
  );
  return asked.flatMap(({ event, operation, term }) =>
    event === "request" && operation !== null ? [term ?? "none"] : [],
  );
}

test("whoever lost the lead in the middle orders nothing more, and nothing without its term; the term ends when the run has come to a stop", async () => {
  await using fleet = await aLiveFleet("n1");
  const store = new FileRunStore(join(fleet.scratch, "runs"));
  const run = await aPausedRun(fleet, store);
  const reign = new ClusterReign(EPOCH);
  const term = aTerm(41);
  const ruled = reign.rule(term, never);
  let isRuling = true;
  void ruled.then(() => {
    isRuling = false;
  });
  let ended = 0;
  const runs = overheard(store, ({ event }) => {
    if (event !== "step-succeeded") return;
    ended++;
    term.giveUp("paused beyond its lease");
  });
  await using carried = new CarriedOn({ runs, clock: systemClock, log: QUIET, hardSignal: never, reign });
  await carried.carryOn(run, "ada");
  expect(isRuling).toBe(true);
  await until("nobody executes it", async () => !(await store.find(run)).isExecuted);
  await ruled;
  expect((await store.find(run)).state).toMatchObject({ outcome: null });
  expect(ended).toBe(1);
  expect(new Set(await termsAt(fleet, "n1"))).toEqual(new Set([`test ${EPOCH}.41`]));
  // It is whoever leads now who carries it on.
  await expect(carried.carryOn(run, "ada")).rejects.toMatchObject({ code: "NOT_LEADER" });
  expect((await store.find(run)).isExecuted).toBe(false);
});

test("led again, what is carried on is of the new term, to its end", async () => {
  await using fleet = await aLiveFleet("n1");
  const store = new FileRunStore(join(fleet.scratch, "runs"));
  const run = await aPausedRun(fleet, store);
  const reign = new ClusterReign(EPOCH);
  const before = aTerm(41);
  const ruled = reign.rule(before, never);
  before.giveUp("another leads");
  await ruled;
  const term = aTerm(57);
  const stop = new AbortController();
  const again = reign.rule(term, stop.signal);
  await using carried = new CarriedOn({ runs: store, clock: systemClock, log: QUIET, hardSignal: never, reign });
  await carried.carryOn(run, "ada");
  await until("it has ended", async () => (await store.find(run)).state.outcome === "done");
  expect(new Set(await termsAt(fleet, "n1"))).toEqual(new Set([`test ${EPOCH}.57`]));
  stop.abort();
  await again;
});
