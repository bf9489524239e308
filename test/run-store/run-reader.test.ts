/** Runs in etcd as many look at them at once: what one reads late does not undo what another has read since. */
import { expect, test } from "vitest";
import type { Entry, Etcd } from "../../src/etcd/etcd.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { RunReader } from "../../src/run-store/etcd/run-reader.ts";
import { eventsFrom, type Head, headOf, toBytes, toLines } from "../../src/run-store/etcd/run-records.ts";
import { NOON } from "../support/a-fleet.ts";
import { aBegunRun } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";

const plan = aRunnablePlan().step("createVm", "web-1", "n1").build();
const at = NOON;

test("a slow reader adds nothing that another has added, and nothing after what came later", async () => {
  const events: RunEvent[] = [aBegunRun(plan, { run: "r1" })];
  let held: Promise<void> | null = null;
  const entry = (key: string, value: Uint8Array, modified: number): Entry => ({
    ...{ key, value: Buffer.from(value), created: 1, modified },
  });
  const head = (): Head => ({ events: events.length, at, isOver: false, by: 1, writes: events.length });
  const etcd = {
    get: async (key: string) => (key === headOf("r1") ? entry(key, toBytes(head()), events.length) : null),
    async read(_: unknown, { from = "" } = {}) {
      const all = events.map((event, n) => entry(eventsFrom("r1", n), Buffer.from(toLines([event])), n));
      const entries = all.filter(({ key }) => key >= from);
      await held;
      return { revision: events.length, entries };
    },
  };
  const reader = new RunReader(etcd as unknown as Etcd);
  await reader.one("r1");
  events.push({ event: "paused", at, by: "ada" });
  const released = Promise.withResolvers<void>();
  held = released.promise;
  const slow = reader.one("r1");
  // It has its answer, and is not given it yet.
  await new Promise((resolve) => setImmediate(resolve));
  held = null;
  events.push({ event: "resumed", at, by: "bob" });
  const quick = await reader.one("r1");
  expect(quick.fold.state).toMatchObject({ wish: "run", by: "bob" });
  released.resolve();
  expect((await slow).fold.state).toMatchObject({ wish: "run", by: "bob" });
  expect(quick.fold.state).toMatchObject({ wish: "run", by: "bob" });
  expect(await reader.one("r1")).toMatchObject({ modified: 3 });
});
